import { parseScenario } from '../../src/cli/scenario-files.js';
import type {
  EventRecord,
  ExchangeRecord,
  RoundRecord,
  RunSummary,
  Sample,
  Sink,
} from '../../src/core/contracts/index.js';
import { runScenario } from '../../src/core/experiment/run.js';
import { loadAllPlugins } from '../../src/plugins/index.js';

/** Everything that a sink is told of a run. */
export interface Told {
  readonly summary: RunSummary;
  readonly samples: readonly Sample[];
  readonly exchanges: readonly ExchangeRecord[];
  readonly rounds: readonly RoundRecord[];
  readonly events: readonly EventRecord[];
}

/** Runs a scenario given as YAML (or as JSON, which is YAML), sampled every `interval` seconds. */
export async function runYaml(scenario: object, interval = 10): Promise<Told> {
  await loadAllPlugins();
  const loaded = await parseScenario(JSON.stringify(scenario), 'test.yaml');
  const samples: Sample[] = [];
  const exchanges: ExchangeRecord[] = [];
  const rounds: RoundRecord[] = [];
  const events: EventRecord[] = [];
  const sink: Sink = {
    interval,
    sample: sample => void samples.push({ ...sample, reading: { ...sample.reading } }),
    exchange: record => void exchanges.push(record),
    round: record => void rounds.push(record),
    event: record => void events.push(record),
  };
  const summary = await runScenario({ ...loaded, sinks: [sink] });
  return { summary, samples, exchanges, rounds, events };
}
