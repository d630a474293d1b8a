import { inject } from 'inversify';
import { z } from 'zod';
import { type DatasetCorrector, type Occasion, type TrajectoryPoint, timeOn } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({ window: duration('How far back it reaches, at most.').prefault('512 s') });

/**
 * Replaces the points of the last `window` before the measurement by the line to it from the last measurement that is
 * older than the window; where there is none, by the measured offset, flat. The line's slope is their drift. Points
 * after the measurement are dropped. `backtracking-line` keeps to every measurement in between.
 */
@plugin({
  kind: 'dataset-corrector',
  name: 'backtracking',
  summary: 'The last 512 s replaced by a line to the measurement',
  options: Options,
})
export class BacktrackingDatasetCorrector implements DatasetCorrector {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  revise(trajectory: readonly TrajectoryPoint[], { axis, measurement, earlier }: Occasion): readonly TrajectoryPoint[] {
    const end = timeOn(axis, measurement.at);
    const start = end - this.options.window;
    const from = earlier.findLast(({ at }) => timeOn(axis, at) < start);
    const drift = from === undefined ? 0 : (measurement.offset - from.offset) / (end - timeOn(axis, from.at));
    return trajectory
      .filter(({ target }) => timeOn(axis, target) <= end)
      .map(point => {
        const t = timeOn(axis, point.target);
        return t < start ? point : { ...point, offset: measurement.offset + drift * (t - end), drift };
      });
  }
}
