import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import '../../../src/plugins/formats/peer.js';
import { parseScenario } from '../../../src/cli/scenario-files.js';
import type { RecordedTruth } from '../../../src/core/contracts/index.js';
import { runScenario } from '../../../src/core/experiment/run.js';
import { readAs } from '../../support/formats.js';
import { kept, told } from '../../support/spies.js';

/** All numbers that can be reached from what was kept: through properties and getters, private or not to TypeScript. */
function reachable(roots: readonly unknown[]): ReadonlySet<number> {
  const numbers = new Set<number>();
  const seen = new Set<unknown>([globalThis, Object.prototype, Array.prototype, Function.prototype]);
  const open = [...roots];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === 'number') numbers.add(value);
    if (value === null || (typeof value !== 'object' && typeof value !== 'function') || seen.has(value)) continue;
    seen.add(value);
    if (value instanceof Map) open.push(...value.keys(), ...value.values());
    if (value instanceof Set) open.push(...value);
    if (ArrayBuffer.isView(value)) open.push(...(value as Float64Array));
    for (let holder: object | null = value; holder !== null; holder = Object.getPrototypeOf(holder)) {
      for (const key of Reflect.ownKeys(holder)) {
        try {
          open.push((value as Record<PropertyKey, unknown>)[key]);
        } catch {
          // A getter that asks for more than the object itself has: nothing is learnt from it.
        }
      }
    }
  }
  return numbers;
}

/** A local clock 5000 s ahead and 50 ppm fast, so that no true time can be taken for a local one. */
const ahead = (t: number): number => 5000.123 + 50e-6 * t;

function recording(shift: number) {
  const rows = ['server,t_true_s,T1,T2,T3,T4'];
  for (let i = 0; i < 60; i++) {
    const [sent, arrived] = [64 * i + 7.3, 64 * i + 7.327];
    rows.push(`1,${arrived + shift},${sent + ahead(sent)},${sent + 0.013},${sent + 0.013},${arrived + ahead(arrived)}`);
  }
  return readAs('peer', rows.join('\n'));
}

function truth(shift: number): RecordedTruth {
  const t = Float64Array.from({ length: 4001 }, (_, i) => i + 0.25);
  const error = t.map(at => ahead(at) - shift);
  return { t: t.map(at => at + shift), wall: error, counter: error };
}

async function run(shift: number) {
  kept.length = 0;
  told.length = 0;
  const text = stringify({
    name: 'spies',
    world: { kind: 'replayed', trace: 'x' },
    sources: { trace: 'spy-source' },
    pipelines: [
      {
        ...{ name: 'spy', filters: ['spy-filter'], combiner: 'spy-combiner', predictor: 'spy-predictor' },
        ...{ corrector: 'spy-corrector', timekeeper: 'spy-timekeeper' },
      },
    ],
  });
  const { scenario, file } = await parseScenario(text, 'spies.yaml');
  return runScenario({ scenario, file, recording: recording(shift), truth: truth(shift) });
}

test('whatever plugins keep of a replay holds no true time and no error against it', async () => {
  const { pipelines } = await run(0);
  expect(pipelines[0]!.reference).toBe('truth');
  const numbers = reachable([...kept, ...told]);
  const { events } = recording(0);
  for (const { event } of events) {
    if (event.type !== 'exchange') continue;
    const { sent, arrived, receive } = event.exchange;
    for (const input of [sent.counter, arrived.counter, receive]) expect(numbers.has(input)).toBe(true);
  }
  for (const { trueTime, truth: error } of events) {
    expect(numbers.has(trueTime!)).toBe(false);
    expect(numbers.has(error!.counter)).toBe(false);
  }
  const { t, counter } = truth(0);
  const secrets = [...counter.filter((_, i) => i > 0), ...t];
  expect(secrets.filter(secret => numbers.has(secret))).toEqual([]);
});

test('what plugins are given at measurements does not move with the true times', async () => {
  const given = async (shift: number): Promise<string> => {
    await run(shift);
    return JSON.stringify(kept);
  };
  const here = await given(0);
  expect(here.length).toBeGreaterThan(10_000);
  expect((await given(512)) === here).toBe(true);
});
