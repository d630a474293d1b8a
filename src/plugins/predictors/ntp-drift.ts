import { inject } from 'inversify';
import { z } from 'zod';
import {
  type ClockReading,
  type Estimate,
  type History,
  type Measurement,
  type Predictor,
  timeOn,
} from '../../core/contracts/index.js';
import { lineOf } from '../../core/estimation/lines.js';
import { maxErrorRate, shifted } from '../../core/pipeline/estimates.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PluginFactory } from '../../core/plugin/tokens.js';
import { isPromise } from '../../core/world/scheduler.js';

const Options = z.strictObject({
  predictor: choice('predictor', 'Whose offset is kept.').prefault('last-value'),
  measurements: z.int().min(2).default(10).meta({ description: 'The drift is regressed over this many of the last.' }),
  method: z
    .enum(['least-squares', 'theil-sen'])
    .default('least-squares')
    .meta({ description: 'How the line is laid through the measurements.' }),
  fallback: z.enum(['measurements', 'predictions']).default('measurements').meta({
    description: 'With fewer: the slope between the two latest measurements, or (the text) between two predictions.',
  }),
});

/**
 * Another predictor's offset with a drift that is calculated from NTP, as ChronoTick V3 has it: the slope of a regression
 * over the last 10 measurements at their own times. While there are fewer, the two latest measurements give it, or (as
 * the text has it) two consecutive predictions, which is the model's own slope once more and no measurement of anything.
 * `driftBy` says which.
 */
@plugin({
  kind: 'predictor',
  name: 'ntp-drift',
  summary: 'Another’s offset, with the drift regressed from the last 10 measurements',
  options: Options,
})
export class NtpDriftPredictor implements Predictor {
  readonly load: Predictor['load'];
  private readonly inner: Predictor;
  private earlier: Estimate | undefined;
  private latest: Estimate | undefined;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(PluginFactory) make: PluginFactory,
  ) {
    const inner = make('predictor', options.predictor);
    this.inner = inner;
    this.load = inner.load && (() => inner.load!());
  }

  predict(history: History, at: ClockReading): ReturnType<Predictor['predict']> {
    const answer = this.inner.predict(history, at);
    return isPromise(answer)
      ? answer.then(estimate => this.withDrift(estimate, history))
      : this.withDrift(answer, history);
  }

  leap(by: number): void {
    this.inner.leap?.(by);
    this.earlier = this.earlier && shifted(this.earlier, by);
    this.latest = this.latest && shifted(this.latest, by);
  }

  private withDrift(estimate: Estimate | undefined, { axis, measurements }: History): Estimate | undefined {
    if (estimate === undefined) return undefined;
    if (this.latest === undefined || timeOn(axis, estimate.at) > timeOn(axis, this.latest.at)) {
      this.earlier = this.latest;
      this.latest = estimate;
    }
    const { measurements: n, method, fallback } = this.options;
    const points = measurements.last(n);
    if (points.length === n) {
      return replaced(estimate, slopeOf(points, axis, method), `regression of ${n} measurements`);
    }
    return fallback === 'measurements'
      ? replaced(estimate, slopeOf(points.slice(-2), axis, 'least-squares'), 'two latest measurements')
      : replaced(estimate, this.slopeOfPredictions(), 'consecutive predictions');
  }

  private slopeOfPredictions(): Slope | undefined {
    const { earlier, latest } = this;
    if (earlier === undefined || latest === undefined) return undefined;
    const time = timeOn(latest.axis, latest.at) - timeOn(earlier.axis, earlier.at);
    return { drift: (latest.offset - earlier.offset) / time, p11: (latest.p00 + earlier.p00) / time ** 2 };
  }
}

interface Slope {
  readonly drift: number;
  readonly p11: number;
}

function slopeOf(
  points: readonly Measurement[],
  axis: History['axis'],
  method: 'least-squares' | 'theil-sen',
): Slope | undefined {
  return lineOf(points, axis, method);
}

function replaced(estimate: Estimate, slope: Slope | undefined, driftBy: string): Estimate {
  if (slope === undefined) return { ...estimate, driftBy: 'model' };
  const { drift, p11 } = slope;
  return { ...estimate, drift, p01: 0, p11, maxErrorRate: maxErrorRate(p11), driftBy };
}
