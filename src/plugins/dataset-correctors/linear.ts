import { z } from 'zod';
import type { DatasetCorrector, Occasion, TrajectoryPoint } from '../../core/contracts/index.js';
import { reviseInterval } from '../../core/pipeline/revision.js';
import { plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({});

/** ô += E·d/D: the error grew from nothing at the previous measurement to E at this one. */
@plugin({
  kind: 'dataset-corrector',
  name: 'linear',
  summary: 'A ramp of the error between measurements',
  options: Options,
})
export class LinearDatasetCorrector implements DatasetCorrector {
  revise(trajectory: readonly TrajectoryPoint[], occasion: Occasion): readonly TrajectoryPoint[] {
    return reviseInterval(trajectory, occasion, ({ error, length }) => (point, d) => ({
      ...point,
      offset: point.offset + (error * d) / length,
    }));
  }
}
