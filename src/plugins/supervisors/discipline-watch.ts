import { inject } from 'inversify';
import { z } from 'zod';
import {
  type Estimate,
  type Forecast,
  type History,
  type Measurement,
  type Supervisor,
  timeOn,
} from '../../core/contracts/index.js';
import { lineOf } from '../../core/estimation/lines.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Report } from '../../core/plugin/tokens.js';
import { duration, formatTime, ratio, time } from '../../core/quantity.js';

const Options = z.strictObject({
  window: duration('How long the clock is watched before anything is said.').prefault('30 min'),
  rate: ratio('A wall clock that gains more than this on the counter is steered.', { min: 0 }).prefault('0.1 ppm'),
  step: time('A wall clock that moves more than this against the counter at once was stepped.', { min: 0 }).prefault(
    '1 ms',
  ),
  drift: ratio('No quartz drifts less than this by itself.', { min: 0 }).prefault('0.2 ppm'),
});

/** Measurements that are looked back on: a drift of 0.2 ppm hides in milliseconds of noise for hours. */
const MOST = 256;

/** Deviations that a drift has to be away from that of a free quartz, and a mean offset from none. */
const SURE = 3;

/**
 * Tells whether the operating system (or another daemon) disciplines the clock already. Three signs: the wall clock moves
 * against the counter, steadily (it is slewed) or at once (it was stepped); or the measured offsets stay about zero with
 * less drift than any quartz has of itself, which is how a disciplined clock looks where both axes are the same. It only
 * says so; `never-worse` decides what is served.
 */
@plugin({
  kind: 'supervisor',
  name: 'discipline-watch',
  summary: 'Says when something else disciplines the clock',
  options: Options,
})
export class DisciplineWatchSupervisor implements Supervisor {
  private first: Measurement['at'] | undefined;
  private before: Measurement['at'] | undefined;
  private readonly said = new Set<string>();

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Report) private readonly report: Report,
  ) {}

  observe({ at }: Measurement, _forecast: Forecast | undefined, history: History): void {
    const { before } = this;
    this.before = at;
    if (before === undefined || this.first === undefined) {
      this.first = at;
      return;
    }
    const moved = apart(at) - apart(before);
    if (Math.abs(moved) > this.options.step) {
      this.report(`the wall clock was stepped by ${formatTime(moved, true)}`);
      // From here on it is another clock.
      this.first = at;
      return;
    }
    const elapsed = at.counter - this.first.counter;
    if (elapsed < this.options.window) return;
    const rate = (apart(at) - apart(this.first)) / elapsed;
    if (Math.abs(rate) > this.options.rate) {
      this.say('slewed', `the wall clock is disciplined by something else: ${ppm(rate)} against the counter`);
    } else this.watchOffsets(history);
  }

  supervise(estimate: Estimate): Estimate {
    return estimate;
  }

  private watchOffsets({ axis, measurements }: History): void {
    const since = timeOn(axis, this.first!);
    const recent = measurements.last(MOST).filter(({ at }) => timeOn(axis, at) >= since);
    const line = lineOf(recent, axis, 'theil-sen');
    if (line === undefined || recent.length < 8) return;
    const mean = recent.reduce((sum, { offset }) => sum + offset, 0) / recent.length;
    const spread = Math.sqrt(recent.reduce((sum, { offset }) => sum + (offset - mean) ** 2, 0) / recent.length);
    const uncertain = SURE * Math.sqrt(line.p11);
    if (Math.abs(line.drift) + uncertain < this.options.drift && Math.abs(mean) < SURE * spread) {
      this.say(
        'quiet',
        `the clock behaves as if it were disciplined already: it drifts by ${ppm(line.drift)} about ${formatTime(mean, true)}`,
      );
    }
  }

  private say(sign: string, what: string): void {
    if (this.said.has(sign)) return;
    this.said.add(sign);
    this.report(what);
  }
}

function apart({ wall, counter }: Measurement['at']): number {
  return wall - counter;
}

function ppm(rate: number): string {
  return `${rate > 0 ? '+' : ''}${(1e6 * rate).toPrecision(3)} ppm`;
}
