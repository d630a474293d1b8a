import type { RunInfo } from '../contracts/index.js';
import { InputError, unknownName } from '../errors.js';

/** What a sink that serves the time to other programs needs of its run: real time, and the pipeline that it serves. */
export function expectServable(sink: string, run: RunInfo, pipeline: string | undefined): string {
  if (run.world !== 'real') {
    throw new InputError(
      `sink ${sink}`,
      `expected a real world, found a ${run.world} one`,
      'it would hand a time to other programs that is not the time',
    );
  }
  const chosen = pipeline ?? run.pipelines[0]!;
  if (!run.pipelines.includes(chosen)) throw unknownName(`sink ${sink}`, 'pipeline', chosen, run.pipelines);
  return chosen;
}
