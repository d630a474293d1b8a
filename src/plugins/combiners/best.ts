import { z } from 'zod';
import type { Combination, Combiner, Measurement } from '../../core/contracts/index.js';
import { plugin } from '../../core/plugin/registry.js';
import { formatTime } from '../../core/quantity.js';

const Options = z.strictObject({});

/** Takes the measurement with the least root distance of the round, and no other. */
@plugin({ kind: 'combiner', name: 'best', summary: 'The measurement with the least root distance', options: Options })
export class BestCombiner implements Combiner {
  combine(round: readonly Measurement[]): Combination {
    const best = round.reduce((a, b) => (b.rootDistance < a.rootDistance ? b : a));
    return {
      measurements: [best],
      verdicts: round.map(measurement => ({
        source: measurement.source,
        used: measurement === best,
        reason:
          measurement === best
            ? `least root distance, ${formatTime(best.rootDistance)}`
            : `root distance ${formatTime(measurement.rootDistance)} is not the least`,
      })),
    };
  }
}
