import type { BehaviourSummary, ExpectationResult, PipelineSummary } from '../contracts/index.js';
import { formatTime } from '../quantity.js';
import { METRICS, type Metric, type Scenario } from './scenario.js';

/** Metrics of how a pipeline behaves, which are scored only where they are asked for. */
const BEHAVIOUR: Readonly<Partial<Record<Metric, (behaviour: BehaviourSummary) => number | null | undefined>>> = {
  backwardStep: behaviour => behaviour.largestBackwardStep,
  'drift.rms': behaviour => behaviour.drift?.rms,
  'drift.max': behaviour => behaviour.drift?.max,
  'age.mean': behaviour => behaviour.age?.mean,
  'age.max': behaviour => behaviour.age?.max,
  'holdover.growth': behaviour => behaviour.holdover?.growth,
  'holdover.max': behaviour => behaviour.holdover?.max,
  'recovery.worst': behaviour => behaviour.recovery?.worst,
  'calibration.distance': behaviour => behaviour.calibration?.distance,
};

/** Whether an expectation needs to know how pipelines behave. */
export function wantsBehaviour({ expectations }: Pick<Scenario, 'expectations'>): boolean {
  return expectations.some(({ metric }) => metric in BEHAVIOUR);
}

/** The value of a metric such as `error.rms` in a pipeline's summary; null where it could not be measured. */
export function metricOf(summary: PipelineSummary, metric: Metric, within?: number): number | null {
  const behaviour = BEHAVIOUR[metric];
  if (behaviour !== undefined) return (summary.behaviour && behaviour(summary.behaviour)) ?? null;
  if (metric === 'convergedBy') return summary.convergence?.find(one => one.within === within)?.by ?? null;
  const [group, name] = metric.split('.');
  if (group === 'error') return summary.error?.[name as keyof NonNullable<PipelineSummary['error']>] ?? null;
  if (group === 'frequency') return summary.frequency?.[name as 'rms' | 'max'] ?? null;
  if (group === 'bounds') return summary.bounds[name as keyof PipelineSummary['bounds']];
  return summary.winRate;
}

/** A metric's value for people: a time, or a number without the digits that nobody reads. */
export function showMetric(metric: string, value: number | null): string {
  if (value === null) return 'nothing';
  const unit = METRICS[metric.split(' ')[0] as Metric];
  return unit === 'time' ? formatTime(value) : String(Number(value.toPrecision(6)));
}

/** Whether each expectation holds. What could not be measured does not. A bias is judged by its size. */
export function judge(
  expectations: Scenario['expectations'],
  pipelines: readonly PipelineSummary[],
): readonly ExpectationResult[] {
  return expectations.map(({ pipeline, metric, within, of, atMost, atLeast }) => {
    const valueIn = (name: string): number | null => {
      const summary = pipelines.find(one => one.name === name);
      return summary === undefined ? null : metricOf(summary, metric, within);
    };
    const sizeOf = (value: number | null): number | null =>
      value !== null && metric === 'error.bias' ? Math.abs(value) : value;
    const found = valueIn(pipeline);
    const size = sizeOf(found);
    const unit = of === undefined ? 1 : sizeOf(valueIn(of));
    const show = (value: number): string => showMetric(metric, value);
    const limit = (sign: string, value: number): string => {
      if (of === undefined) return `${sign} ${show(value)}`;
      return `${sign} ${Number(value.toPrecision(6))} × ${of}${unit === null ? '' : ` (${show(value * unit)})`}`;
    };
    const limits = [
      ...(atMost === undefined ? [] : [limit('≤', atMost)]),
      ...(atLeast === undefined ? [] : [limit('≥', atLeast)]),
    ];
    return {
      pipeline,
      metric: within === undefined ? metric : `${metric} (within ${formatTime(within)})`,
      limit: limits.join(' and '),
      found,
      holds:
        size !== null &&
        unit !== null &&
        !(atMost !== undefined && size > atMost * unit) &&
        !(atLeast !== undefined && size < atLeast * unit),
    };
  });
}
