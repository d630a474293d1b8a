import { stringify } from 'yaml';
import { parseScenario } from '../../src/cli/scenario-files.js';
import type { EventRecord, RunSummary, ServerState, Sink } from '../../src/core/contracts/index.js';
import { runScenario } from '../../src/core/experiment/run.js';
import { SystemClock } from '../../src/plugins/clocks/system.js';
import { NtpServer } from '../../src/plugins/sinks/ntp-server.js';

const clock = new SystemClock({ through: 'auto' });
const epoch = Number(clock.epoch / 1_000_000_000n);

/** A server of ours on loopback whose time is `ahead` seconds ahead of this machine's. */
export async function upstream(ahead: number, state: Partial<ServerState> = {}): Promise<NtpServer> {
  const said = { leap: 0, stratum: 2, precision: -20, rootDelay: 0.01, rootDispersion: 2e-3, referenceId: 0, ...state };
  return NtpServer.listen({
    address: '127.0.0.1',
    port: 0,
    epoch,
    state: () => said,
    now: () => clock.read().wall + ahead,
  });
}

export interface ServingRun {
  readonly events: readonly EventRecord[];
  /** Resolves with the first event that matches. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
  stop(): Promise<RunSummary>;
}

/** A run in the real world with sinks that serve, until it is stopped. */
export async function serving(
  servers: readonly (string | object)[],
  sinks: readonly object[],
  pipelines: readonly object[] = [{ name: 'kalman' }],
): Promise<ServingRun> {
  const text = stringify({
    name: 'serving',
    world: { kind: 'real' },
    sources: { ntp: { use: 'ntp', servers, timeout: 0.3, poller: { use: 'fixed', interval: 0.2 } } },
    pipelines,
    sinks,
  });
  const events: EventRecord[] = [];
  const abort = new AbortController();
  const heard = new EventTarget();
  const spy: Sink = {
    event: record => {
      events.push(record);
      heard.dispatchEvent(new Event('event'));
    },
  };
  const { scenario, file } = await parseScenario(text, 'serving.yaml');
  const ended = runScenario({ scenario, file, sinks: [spy], signal: abort.signal });
  let failed: unknown;
  ended.catch(error => {
    failed = error;
    heard.dispatchEvent(new Event('event'));
  });
  return {
    events,
    says: pattern =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = events.map(({ what }) => pattern.exec(what)).find(match => match !== null);
          if (found) resolve(found);
          else if (failed !== undefined) reject(failed);
          else return;
          clearTimeout(late);
          heard.removeEventListener('event', look);
        };
        const told = (): string => events.map(({ what }) => what).join('\n');
        const late = setTimeout(() => reject(new Error(`nobody says ${pattern}, but:\n${told()}`)), 10_000);
        heard.addEventListener('event', look);
        look();
      }),
    stop: () => {
      abort.abort();
      return ended;
    },
  };
}
