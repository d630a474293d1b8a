import { inject } from 'inversify';
import { z } from 'zod';
import { World } from '../../core/contracts/index.js';
import { EnsembleCorrection } from '../../core/estimation/ensemble-correction.js';
import { IDEAS } from '../../core/estimation/ensemble-estimator.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Report } from '../../core/plugin/tokens.js';
import { time } from '../../core/quantity.js';

/** What a clock is stepped by without anybody setting it: at the most a leap second, s. */
const LARGEST_STEP = 1;

const Options = z.strictObject({
  without: z
    .array(z.enum(IDEAS))
    .default([])
    .meta({ description: 'Ideas to leave out, for the table of what each is worth.' }),
  unseenStep: time(
    'Added to the maximum error: by so much the local clock may have been stepped since the last exchange, unseen. ' +
      `Left out: ${LARGEST_STEP} s in a recording of one clock alone, which may have been stepped; else nothing.`,
    { min: 0 },
  ).optional(),
});

/**
 * The default estimator. It takes every source's measurements itself (no filter or combiner before it): how much of a
 * delay was queueing says how far the offset can be wrong (a likelihood that is flat inside and steep outside); a bank of
 * clocks, from very good to very bad oscillators, is weighted by how well each predicts; what no member can explain is a
 * step; falsetickers are left out by intersection; and the sources' constant biases are weighed against each other.
 * The parts and their equations stand in src/core/estimation; docs/estimator.md tells what each is worth.
 */
@plugin({
  kind: 'corrector',
  name: 'ensemble',
  summary: 'The default estimator: a bank of clocks over all sources, noise read from delays',
  options: Options,
})
export class EnsembleCorrector extends EnsembleCorrection {
  constructor(
    @inject(PluginOptions) { without, unseenStep }: z.output<typeof Options>,
    @inject(Report) report: Report,
    @inject(World) { clock }: World,
  ) {
    super(without, report, unseenStep ?? (clock.oneClock ? LARGEST_STEP : 0));
  }
}
