import { beforeAll, describe, expect, it } from 'vitest';
import type { ClockModel } from '../../../src/core/contracts/index.js';
import { stability } from '../../../src/core/metrics/stability/index.js';
import { loadAllPlugins } from '../../../src/plugins/index.js';
import { made } from '../../support/make-plugin.js';
import { runText } from '../../support/run-scenario.js';

beforeAll(loadAllPlugins);

const clock = (use: string, options: Readonly<Record<string, unknown>> = {}): ClockModel =>
  made('clock', { use, ...options }, '1', 'clock') as ClockModel;

describe.each<[string, number, readonly [number, number], readonly [number, number]]>([
  // Name, frequency error, bounds of the Allan deviation at 1 s, and of the frequency's range in two days.
  ['laptop-crystal', 25e-6, [1e-10, 8e-10], [0.3e-6, 4e-6]],
  ['server-crystal', -12e-6, [5e-11, 2e-10], [0.05e-6, 0.7e-6]],
  ['tcxo', 0.5e-6, [1e-10, 2.5e-10], [4e-8, 1e-7]],
  ['ocxo', 5e-9, [2e-12, 4e-12], [1e-10, 1e-9]],
  ['rubidium', 5e-11, [0.8e-11, 1.2e-11], [1e-11, 4e-11]],
  ['vm-guest', -12e-6, [5e-11, 2e-10], [0.1e-6, 1.5e-6]],
  ['wsl2', -23e-6, [1e-10, 8e-10], [0.3e-6, 4e-6]],
])('clock %s', (use, frequencyError, [least, most], [narrow, wide]) => {
  it('is as its figures say', () => {
    const model = clock(use);
    const phase = Float64Array.from({ length: 4096 }, (_, t) => model.phase(t));
    const [row] = stability(phase, 1, { estimators: ['oadev'], factors: [1] });
    expect(row!.deviation).toBeGreaterThan(least);
    expect(row!.deviation).toBeLessThan(most);
    const course: number[] = [];
    for (let t = 4096; t < 2 * 86400; t += 60) course.push(model.frequency(t));
    const range = Math.max(...course) - Math.min(...course);
    expect(range).toBeGreaterThan(narrow);
    expect(range).toBeLessThan(wide);
    const mean = course.reduce((sum, y) => sum + y, 0) / course.length;
    expect(Math.abs(mean - frequencyError)).toBeLessThan(Math.max(Math.abs(frequencyError) / 5, wide));
  });

  it('takes other figures', () => {
    const model = clock(use, { frequencyError: '1 ppm', timeError: '1 s', parts: [] });
    expect(model.phase(100)).toBeCloseTo(1 + 1e-4, 12);
  });

  it('can be named in a scenario and read again from it', async () => {
    const summary = await runText(`
name: preset
duration: 20 min
world: { clock: ${use}, servers: [{ name: a, delay: 1 ms }] }
pipelines: [{ name: kalman }]
`);
    expect(summary.pipelines[1]!.error!.max).toBeLessThan(1e-3);
  });
});

describe('a noisy clock that stands still for an hour', () => {
  it.each(['suspend', 'vm-pause'])('goes on after a %s', async fault => {
    const { pipelines } = await runText(`
name: pause
duration: 4 h
warmup: 3 h
world:
  clock: laptop-crystal
  servers: [{ name: a, delay: 3 ms, jitter: { use: exponential, mean: 50 us } }]
  faults: [{ use: ${fault}, at: 1 h, for: 1 h }]
pipelines: [{ name: kalman }]
`);
    expect(pipelines[1]!.samples).toBeGreaterThan(3500);
    expect(pipelines[1]!.error!.max).toBeLessThan(5e-3);
  });
});

describe('reading a clock takes time', () => {
  const scenario = (options: string) => `
name: latency
duration: 2 h
world: { clock: { use: oscillator, frequencyError: 0, granularity: 0, ${options} }, servers: [{ name: a, delay: 10 ms, processing: 0 }] }
pipelines: [{ name: kalman }]
`;

  it('so that the stamp of an arrival is late by it', async () => {
    const delays: number[] = [];
    const offsets: number[] = [];
    await runText(scenario('latency: 1 ms'), {
      sinks: [
        {
          exchange: ({ event }) => {
            if (event.type !== 'exchange') return;
            const { sent, arrived, receive, transmit } = event.exchange;
            delays.push(arrived.counter - sent.counter - (transmit - receive));
            offsets.push((receive - sent.counter + transmit - arrived.counter) / 2);
          },
        },
      ],
    });
    expect(delays.length).toBeGreaterThan(100);
    // The packet leaves when its stamp is taken, so only the stamp of its arrival is late.
    for (const delay of delays) expect(delay).toBeCloseTo(21e-3, 6);
    for (const offset of offsets) expect(offset).toBeCloseTo(-0.5e-3, 6);
  });

  it('by a part that differs from reading to reading, and is a function of the instant', () => {
    const [one, other] = [clock('vm-guest'), clock('vm-guest')];
    const latencies = Array.from({ length: 20_000 }, (_, i) => one.latency!(i / 7));
    expect(Math.min(...latencies)).toBeGreaterThanOrEqual(60e-9);
    const mean = latencies.reduce((sum, value) => sum + value, 0) / latencies.length;
    expect(Math.abs(mean / 2.06e-6 - 1)).toBeLessThan(0.03);
    for (let i = 200; i > 0; i -= 13) expect(other.latency!(i / 7)).toBe(latencies[i]);
  });
});

describe('granularity', () => {
  it('rounds every reading down to a whole number of granules', async () => {
    const readings: number[] = [];
    await runText(
      `
name: granularity
duration: 1 h
world: { clock: { use: oscillator, granularity: 1 ms }, servers: [{ name: a, delay: 3 ms }] }
pipelines: [{ name: kalman }]
`,
      {
        sinks: [
          {
            exchange: ({ event }) => {
              if (event.type === 'exchange') readings.push(event.exchange.sent.counter, event.exchange.arrived.wall);
            },
          },
        ],
      },
    );
    expect(readings.length).toBeGreaterThan(100);
    for (const reading of readings) expect(Math.abs(reading * 1e3 - Math.round(reading * 1e3))).toBeLessThan(1e-6);
  });
});

describe('a guest whose host steps its wall clock', () => {
  it('keeps the wall clock near the host’s, by steps that the counter does not notice', async () => {
    const wall: number[] = [];
    const counter: number[] = [];
    await runText(
      `
name: host
duration: 12 h
world: { clock: { use: wsl2, threshold: 100 ms, hostError: 5 ms }, servers: [{ name: a, delay: 3 ms }] }
pipelines: [{ name: kalman }]
`,
      {
        sinks: [
          {
            interval: 60,
            sample: ({ pipeline, bareError, reading, t }) => {
              if (pipeline !== 'bare-clock') return;
              wall.push(bareError!);
              counter.push(reading.counter - t);
            },
          },
        ],
      },
    );
    expect(Math.max(...wall.map(Math.abs))).toBeLessThan(0.13);
    const jumps = wall.filter((error, i) => i > 0 && error - wall[i - 1]! > 0.05);
    expect(jumps.length).toBeGreaterThan(6);
    expect(jumps.length).toBeLessThan(15);
    // Nobody corrects the counter: half a day at −23 ppm.
    expect(counter.at(-1)!).toBeLessThan(-0.85);
    expect(Math.max(...counter.map((error, i) => Math.abs(error - (counter[i - 1] ?? 0))))).toBeLessThan(2e-3);
  });
});
