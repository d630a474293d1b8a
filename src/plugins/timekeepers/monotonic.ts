import { inject } from 'inversify';
import { z } from 'zod';
import type {
  ClockReading,
  CorrectedTime,
  Estimate,
  Passage,
  Snapshot,
  Timekeeper,
} from '../../core/contracts/index.js';
import { bareTime } from '../../core/pipeline/telling.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';
import { PluginFactory } from '../../core/plugin/tokens.js';
import { ratio, time } from '../../core/quantity.js';

const Options = z.strictObject({
  timekeeper: choice('timekeeper', 'Whose time is told.').prefault('drift'),
  slew: ratio('How fast what is told may approach it, at most.', { above: 0, max: 0.5 }).prefault('500 ppm'),
  step: time('Further ahead than this it is jumped to, since that is no step back; left out: never.', {
    min: 0,
  }).optional(),
});

const State = z.strictObject({
  since: z.strictObject({ wall: z.number(), counter: z.number() }).nullable(),
  ahead: z.number(),
});
const VERSION = 1;

/**
 * Another timekeeper's time, made monotonic. When an estimate comes into force, what is told goes on from where it was:
 * the difference r to the new time shrinks by `slew` for each second of the counter, sign(r)·max(0, |r| − slew·e). Between
 * estimates it walks on the counter, so that a step of the wall clock reaches it with the next estimate only, as a
 * difference like any other. It never goes back as long as slew and drift together stay under 1.
 *
 * The bounds are the other's, widened by the difference that is left.
 */
@plugin({
  kind: 'timekeeper',
  name: 'monotonic',
  summary: 'Another timekeeper’s time, never stepped back and slewed at a bounded rate',
  options: Options,
})
export class MonotonicTimekeeper implements Timekeeper {
  private readonly inner: Timekeeper;
  private adopted: Estimate | undefined;
  /** The reading at which it came into force, and what was told then beyond what it says, seconds. */
  private since: ClockReading = { wall: 0, counter: 0 };
  private ahead = 0;
  /** The next estimate is the one that was in force when this was kept. */
  private resumes = false;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    this.inner = make('timekeeper', options.timekeeper);
  }

  adopt(estimate: Estimate, previous: Estimate | undefined, reading: ClockReading, level: number): void {
    if (this.resumes) {
      this.resumes = false;
      this.inner.adopt?.(estimate, previous, reading, level);
      this.adopted = estimate;
      return;
    }
    const told = this.tell(this.adopted, reading, level);
    this.inner.adopt?.(estimate, previous, reading, level);
    this.adopted = estimate;
    this.since = reading;
    this.ahead = 0;
    const ahead = told.time - this.tell(estimate, reading, level).time;
    const { step } = this.options;
    this.ahead = step !== undefined && -ahead > step ? 0 : ahead;
  }

  tell(estimate: Estimate | undefined, reading: ClockReading, level: number): CorrectedTime {
    const { adopted, since } = this;
    if (adopted === undefined) return bareTime(reading, level);
    // An estimate that is not in force has nothing told before it.
    if (estimate !== undefined && estimate !== adopted) return this.inner.tell(estimate, reading, level);
    const elapsed = Math.max(0, reading.counter - since.counter);
    const wall = since.wall + (reading.counter - since.counter);
    const told = this.inner.tell(adopted, { wall, counter: reading.counter }, level);
    const left = Math.sign(this.ahead) * Math.max(0, Math.abs(this.ahead) - this.options.slew * elapsed);
    const walked = {
      ...told,
      time: told.time + left,
      offset: told.offset + left + (told.axis === 'wall' ? wall - reading.wall : 0),
    };
    // Nothing is good enough to tell from any more: it still must not go back.
    if (estimate === undefined) return { ...walked, uncertainty: undefined, maxError: undefined };
    const { uncertainty, maxError } = told;
    return {
      ...walked,
      uncertainty: uncertainty === undefined ? undefined : uncertainty + Math.abs(left),
      maxError: maxError === undefined ? undefined : maxError + Math.abs(left),
    };
  }

  /** So that what is told does not go back over a restart either. */
  snapshot(): Snapshot {
    return { version: VERSION, state: { since: this.adopted === undefined ? null : this.since, ahead: this.ahead } };
  }

  restore(snapshot: Snapshot, { continues }: Passage): void {
    const { since, ahead } = stateIn(snapshot, VERSION, State);
    if (!continues || since === null) return;
    this.since = since;
    this.ahead = ahead;
    this.resumes = true;
  }
}
