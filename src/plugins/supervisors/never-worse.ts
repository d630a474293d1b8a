import { inject } from 'inversify';
import { z } from 'zod';
import {
  type Estimate,
  type Forecast,
  type History,
  type Measurement,
  type Snapshot,
  type Supervisor,
  timeOn,
} from '../../core/contracts/index.js';
import { maxErrorRate } from '../../core/pipeline/estimates.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';
import { Report } from '../../core/plugin/tokens.js';
import { formatTime } from '../../core/quantity.js';

const CANDIDATES = ['pipeline', 'last-measurement', 'bare-clock'] as const;
type Candidate = (typeof CANDIDATES)[number];

const Options = z.strictObject({
  window: z.number().min(2).default(20).meta({ description: 'Measurements that the scores look back on.' }),
  margin: z.number().min(0).lt(1).default(0.1).meta({ description: 'Hysteresis: a lead under this share is none.' }),
  least: z.int().min(1).default(5).meta({ description: 'Measurements before anything is decided.' }),
  start: z.enum(CANDIDATES).default('pipeline').meta({ description: 'What is served until then.' }),
});

const State = z.strictObject({
  scores: z.record(z.enum(CANDIDATES), z.number().min(0)),
  n: z.int().min(0),
  served: z.enum(CANDIDATES),
});
const VERSION = 1;

/**
 * Never worse than the bare clock: scores the bare wall clock, the last measurement held, and the pipeline itself, by
 * their mean |error| at each measurement before it is used, and serves the best. Another one is served only when its
 * score is better by the margin, and that is reported. Mean errors are exponential averages over about `window`
 * measurements; the noise of a measurement is in all three alike.
 *
 * What is served instead has the bounds that the pipeline's own estimate gives it: its deviation is that of the estimate
 * and, in square, how far away from the estimate it is.
 */
@plugin({
  kind: 'supervisor',
  name: 'never-worse',
  summary: 'Serves the best of pipeline, last measurement and bare clock',
  options: Options,
})
export class NeverWorseSupervisor implements Supervisor {
  private readonly scores: Record<Candidate, number> = { pipeline: 0, 'last-measurement': 0, 'bare-clock': 0 };
  private n = 0;
  private served: Candidate;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Report) private readonly report: Report,
  ) {
    this.served = options.start;
  }

  observe(measurement: Measurement, forecast: Forecast | undefined, { axis, measurements }: History): void {
    const last = measurements.at(-1);
    if (forecast === undefined || last === undefined) return;
    const { at, offset } = measurement;
    this.n += 1;
    const weight = Math.max(1 / this.n, 1 / this.options.window);
    const score = (candidate: Candidate, error: number): void => {
      this.scores[candidate] += weight * (Math.abs(error) - this.scores[candidate]);
    };
    score('pipeline', forecast.error);
    score('last-measurement', last.offset - offset);
    score('bare-clock', at.wall - timeOn(axis, at) - offset);
    if (this.n >= this.options.least) this.decide();
  }

  supervise(estimate: Estimate, { measurements }: History): Estimate {
    const last = measurements.at(-1);
    if (this.served === 'pipeline' || last === undefined) return estimate;
    const { axis, at } = estimate;
    if (this.served === 'last-measurement') return held(estimate, axis, last.offset, 'last-measurement');
    // How far the wall clock is from where the estimate has it.
    const wallOffset = timeOn(axis, at) + estimate.offset - at.wall;
    return held({ ...estimate, offset: wallOffset }, 'wall', 0, 'bare-clock');
  }

  private decide(): void {
    const best = CANDIDATES.reduce((a, b) => (this.scores[b] < this.scores[a] ? b : a));
    if (best === this.served || this.scores[best] >= this.scores[this.served] * (1 - this.options.margin)) return;
    const scores = CANDIDATES.map(candidate => `${candidate} ${formatTime(this.scores[candidate])}`).join(', ');
    this.served = best;
    this.report(`serves ${best} (mean |error|: ${scores})`);
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: { scores: this.scores, n: this.n, served: this.served } };
  }

  restore(snapshot: Snapshot): void {
    const { scores, n, served } = stateIn(snapshot, VERSION, State);
    Object.assign(this.scores, scores);
    this.n = n;
    this.served = served;
  }
}

/** An offset that stays, with the bounds of an estimate that knows better. Nobody walks from it. */
function held(estimate: Estimate, axis: Estimate['axis'], offset: number, by: string): Estimate {
  const away = estimate.offset - offset;
  const p11 = estimate.p11 + estimate.drift ** 2;
  return {
    at: estimate.at,
    axis,
    offset,
    drift: 0,
    p00: estimate.p00 + away ** 2,
    p01: estimate.p01 + away * estimate.drift,
    p11,
    whiteFm: estimate.whiteFm,
    randomWalkFm: estimate.randomWalkFm,
    maxError: estimate.maxError + Math.abs(away),
    maxErrorRate: maxErrorRate(p11),
    by,
  };
}
