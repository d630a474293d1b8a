import type { History } from './history.js';
import type { Measurement } from './measurement.js';
import type { Stateful } from './state.js';

/** Why a measurement was not used, for people and logs. */
export interface Rejection {
  readonly rejected: string;
}

/**
 * A plugin of kind `filter`: looks at one source's measurements one by one. One instance for each source of a pipeline,
 * so it may keep state about that source.
 *
 * What an implementer owes: the measurement (as it is, or a copy with other `uncertainty` or `offset`) or a rejection
 * with its reason. It never changes its input.
 */
export interface Filter extends Stateful {
  filter(measurement: Measurement, history: History): Measurement | Rejection;
}

export function isRejection(answer: Measurement | Rejection): answer is Rejection {
  return 'rejected' in answer;
}
