import { inject } from 'inversify';
import { z } from 'zod';
import { type DatasetCorrector, type Occasion, type TrajectoryPoint, timeOn } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({ window: duration('How far back it reaches, at most.').prefault('512 s') });

/**
 * `backtracking` along the line through every measurement of the window: straight from each to the next, beginning at
 * the last one that is older, flat before the first there is. Points after the measurement are dropped.
 */
@plugin({
  kind: 'dataset-corrector',
  name: 'backtracking-line',
  summary: 'The last 512 s replaced by the line through its measurements',
  options: Options,
})
export class BacktrackingLineDatasetCorrector implements DatasetCorrector {
  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  revise(trajectory: readonly TrajectoryPoint[], { axis, measurement, earlier }: Occasion): readonly TrajectoryPoint[] {
    const corners = [...earlier, measurement].map(({ at, offset }) => ({ t: timeOn(axis, at), offset }));
    const end = timeOn(axis, measurement.at);
    const start = end - this.options.window;
    return trajectory
      .filter(({ target }) => timeOn(axis, target) <= end)
      .map(point => {
        const t = timeOn(axis, point.target);
        if (t < start) return point;
        const next = corners.findIndex(corner => corner.t >= t);
        const to = corners[next]!;
        const from = corners[next - 1];
        const drift = from === undefined || to.t <= from.t ? 0 : (to.offset - from.offset) / (to.t - from.t);
        return { ...point, offset: to.offset + drift * (t - to.t), drift };
      });
  }
}
