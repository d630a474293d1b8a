import { inject } from 'inversify';
import { z } from 'zod';
import type { Passage, Poller, PollState, Snapshot } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({
  min: duration('The shortest interval, and the one that it starts with.').prefault('64 s'),
  max: duration('The longest interval.').prefault('1024 s'),
  burst: z.int().min(1).max(16).default(4).meta({ description: 'Questions at the start that follow quickly.' }),
  burstInterval: duration('Between the questions of the burst.').prefault('2 s'),
  gate: z.number().positive().default(4).meta({
    description: 'Within so many jitters of what was expected it asks less often (RFC 5905: PGATE).',
  }),
});

/** RFC 5905's LIMIT and AVG (section 11.3 and appendix A.5.5.6). */
const LIMIT = 30;
const WEIGHT = 1 / 4;
/** After every so many questions in a row without an answer it asks half as often (RFC 5905's UNREACH). */
const UNREACHABLE = 12;
/** Differences of offsets under this are nothing to go by, seconds. */
const LEAST_JITTER = 1e-6;

const Point = z.strictObject({ at: z.number(), offset: z.number() });
type Point = z.output<typeof Point>;

const State = z.strictObject({
  points: z.array(Point).max(2),
  doublings: z.int().min(0),
  count: z.number(),
  shortest: z.number().nullable(),
  square: z.number().min(0),
  heard: z.int().min(0),
});
const VERSION = 1;

/**
 * The poll process of RFC 5905, section 11.3 with appendix A.5.5.6: while the clock is where it was expected to be,
 * within `gate` jitters, a counter rises by log2 of the interval, and at LIMIT the interval doubles; else it falls twice as
 * fast, and at −LIMIT the interval is halved.
 *
 * What is expected is the line through the last two answers (a poller stands outside the pipelines, whose clocks are not
 * disciplined; RFC 5905 takes the offset of a clock that is). Jitter is read from the delays: an exchange that took e
 * longer than the shortest is wrong by anything within ±e/2, so by e/√12, which is noise and never wander.
 */
@plugin({
  kind: 'poller',
  name: 'rfc5905',
  summary: 'Asks less often while the clock does what is expected of it, within limits (RFC 5905)',
  options: Options,
})
export class Rfc5905Poller implements Poller {
  private readonly points: Point[] = [];
  private seen: PollState['last'];
  private doublings = 0;
  private count = 0;
  private shortest = Number.POSITIVE_INFINITY;
  private square = 0;
  private heard = 0;

  constructor(@inject(PluginOptions) private readonly options: z.output<typeof Options>) {}

  next(state: PollState): number {
    const { burst, burstInterval } = this.options;
    const { sent, missed, floor, last } = state;
    if (last !== undefined && last !== this.seen) {
      this.seen = last;
      this.hear(last);
    }
    if (sent < burst - 1) return Math.max(floor, Math.min(burstInterval, this.interval));
    // A server that is silent is asked less and less often, until it answers again.
    const patience = 2 ** Math.min(30, Math.floor(missed / UNREACHABLE));
    return Math.max(floor, Math.min(this.interval * patience, Math.max(this.options.min, this.options.max)));
  }

  snapshot(): Snapshot {
    const { points, doublings, count, shortest, square, heard } = this;
    const kept = Number.isFinite(shortest) ? shortest : null;
    return { version: VERSION, state: { points, doublings, count, shortest: kept, square, heard } };
  }

  restore(snapshot: Snapshot, { continues }: Passage): void {
    const { points, doublings, count, shortest, square, heard } = stateIn(snapshot, VERSION, State);
    // The path is what it was; how the clock does after a reboot is not known.
    this.shortest = shortest ?? Number.POSITIVE_INFINITY;
    this.square = square;
    this.heard = heard;
    if (!continues) return;
    this.points.push(...points);
    this.doublings = doublings;
    this.count = count;
  }

  private get interval(): number {
    const { min, max } = this.options;
    return Math.min(min * 2 ** this.doublings, Math.max(min, max));
  }

  private hear({ at, offset, delay }: NonNullable<PollState['last']>): void {
    const { points } = this;
    this.shortest = Math.min(this.shortest, delay);
    const [before, previous] = points;
    points.push({ at, offset });
    if (points.length > 2) points.shift();
    this.heard += 1;
    const queue = (delay - this.shortest) / Math.sqrt(12);
    this.square += Math.max(WEIGHT, 1 / this.heard) * (queue ** 2 - this.square);
    if (before === undefined || previous === undefined) return;
    const reach = (at - previous.at) / (previous.at - before.at);
    const residual = offset - previous.offset - (previous.offset - before.offset) * reach;
    // What noise of one deviation in each of three points makes of a residual.
    const spread = Math.sqrt(1 + (1 + reach) ** 2 + reach ** 2);
    const jitter = spread * Math.max(LEAST_JITTER, Math.sqrt(this.square));
    const step = Math.log2(Math.max(2, this.interval));
    if (Math.abs(residual) < this.options.gate * jitter) {
      this.count += step;
      if (this.count > LIMIT) this.lengthen();
    } else {
      this.count -= 2 * step;
      if (this.count < -LIMIT) {
        this.count = 0;
        this.doublings = Math.max(0, this.doublings - 1);
      }
    }
  }

  private lengthen(): void {
    this.count = 0;
    if (this.interval < this.options.max) this.doublings += 1;
  }
}
