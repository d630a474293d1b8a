import { stringify } from 'yaml';
import { parseScenario } from '../../src/cli/scenario-files.js';
import type { ExchangeRecord, RoundRecord, RunSummary, Sample, Sink } from '../../src/core/contracts/index.js';
import { runScenario } from '../../src/core/experiment/run.js';

export interface LiveRun {
  /** HOST:PORT of each. */
  readonly servers: readonly string[];
  /** How long, seconds. */
  readonly duration: number;
  /** From question to question, seconds. */
  readonly interval?: number;
  /** Seconds. */
  readonly timeout?: number;
  readonly pipelines?: readonly unknown[];
  readonly sinks?: readonly Sink[];
  readonly signal?: AbortSignal;
}

export interface LiveResult {
  readonly summary: RunSummary;
  readonly exchanges: readonly ExchangeRecord[];
  readonly rounds: readonly RoundRecord[];
  readonly scored: readonly Sample[];
  /** Offsets of the answers on the counter, seconds, in order. */
  readonly offsets: readonly number[];
  /** Reasons of the questions that failed, in order. */
  readonly failures: readonly string[];
}

/** A run in the real world, on this machine's clock and UDP, and all that its sinks are told. */
export async function runLive(run: LiveRun): Promise<LiveResult> {
  const { servers, duration, interval = 0.05, timeout = 0.5, pipelines = [{ name: 'kalman' }] } = run;
  const text = stringify({
    name: 'wire',
    duration,
    world: { kind: 'real' },
    sources: { ntp: { use: 'ntp', servers, timeout, poller: { use: 'fixed', interval } } },
    pipelines,
  });
  const exchanges: ExchangeRecord[] = [];
  const rounds: RoundRecord[] = [];
  const scored: Sample[] = [];
  const spy: Sink = {
    exchange: record => void exchanges.push(record),
    round: record => void rounds.push(record),
    scored: sample => void scored.push(sample),
  };
  const { scenario, file } = await parseScenario(text, 'wire.yaml');
  const summary = await runScenario({
    scenario,
    file,
    sinks: [...(run.sinks ?? []), spy],
    ...(run.signal && { signal: run.signal }),
  });
  return {
    summary,
    exchanges,
    rounds,
    scored,
    offsets: exchanges.flatMap(({ event }) => {
      if (event.type !== 'exchange') return [];
      const { sent, arrived, receive, transmit } = event.exchange;
      return [(receive - sent.counter + transmit - arrived.counter) / 2];
    }),
    failures: exchanges.flatMap(({ event }) => (event.type === 'failure' ? [event.failure.reason] : [])),
  };
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
