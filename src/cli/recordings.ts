import type { RecordedTruth, Recording } from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';

/** placeholder until the formats land */
export async function openRecording(
  _world: { trace: string; truth?: string | undefined; format?: string | undefined },
  file: string,
): Promise<{ recording: Recording; truth?: RecordedTruth }> {
  throw new InputError(file, 'replay is not there yet');
}
