import { inject } from 'inversify';
import { z } from 'zod';
import type { Discipline, SteerableClock, SteeringError } from '../../core/contracts/index.js';
import { attainable, isStep } from '../../core/discipline/steering.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { ratio, time } from '../../core/quantity.js';

const Options = z.strictObject({
  step: time('Errors beyond this are stepped, where stepping is allowed.', { above: 0 }).prefault('128 ms'),
  steps: z
    .union([z.int().min(0), z.literal('always')])
    .default('always')
    .meta({ description: 'Only the first so many updates may step (chronyd: makestep); 0: never, always slew.' }),
  leap: z.enum(['step', 'slew']).default('step').meta({ description: 'How a leap second is taken.' }),
  maxSlew: ratio('The fastest slew. Linux: 500 ppm; chronyd drives the tick to 1/12.', {
    min: 1e-9,
    max: 0.1,
  }).prefault('500 ppm'),
  maxFrequency: ratio('The largest frequency correction of the kernel; beyond it the tick is changed.', {
    min: 0,
  }).prefault('500 ppm'),
  tick: ratio('The step by which the tick can be changed: 1 µs in 10 ms.', { min: 0 }).prefault('100 ppm'),
  maxTick: ratio('The most that the tick can be changed by.', { min: 0, max: 0.5 }).prefault('10 %'),
});

/**
 * Steers a wall clock as a daemon does through adjtimex(2): an error beyond `step` is stepped, a smaller one slewed at
 * `maxSlew` at most; the frequency is set to cancel the drift, up to `maxFrequency`, and what is beyond that is left to
 * the tick, in steps of `tick`, up to `maxTick` (Linux: USER_HZ 100, tick 9,000 to 11,000 µs, freq ±500 ppm).
 */
@plugin({
  kind: 'discipline',
  name: 'adjtimex',
  summary: 'Steps, slews and frequencies within the limits of adjtimex(2)',
  options: Options,
})
export class AdjtimexDiscipline implements Discipline {
  private updates = 0;

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  steer({ offset, drift, cause }: SteeringError, clock: SteerableClock): void {
    const { steps, leap, maxSlew } = this.options;
    const mayStep = cause === 'leap' ? leap === 'step' : steps === 'always' || this.updates < steps;
    this.updates += 1;
    const { ticks, fine } = attainable(drift, this.options);
    clock.setFrequency(ticks * this.options.tick + fine);
    if (isStep(offset, mayStep, this.options)) clock.step(offset);
    else clock.slew(offset, maxSlew);
  }
}
