/** The time is not known, or no longer: `message` says why, for people. */
export class TimeUnknownError extends Error {
  override readonly name = 'TimeUnknownError';
}
