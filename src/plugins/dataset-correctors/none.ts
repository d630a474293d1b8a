import { z } from 'zod';
import type { DatasetCorrector, TrajectoryPoint } from '../../core/contracts/index.js';
import { plugin } from '../../core/plugin/registry.js';

const Options = z.strictObject({});

/** Leaves past predictions as they were. */
@plugin({ kind: 'dataset-corrector', name: 'none', summary: 'Past predictions stay as they were', options: Options })
export class NoDatasetCorrector implements DatasetCorrector {
  revise(trajectory: readonly TrajectoryPoint[]): readonly TrajectoryPoint[] {
    return trajectory;
  }
}
