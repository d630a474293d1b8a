import { expect, test } from 'vitest';
import { SteeredWall } from '../../src/core/pipeline/steered-wall.js';
import { runYaml } from '../support/run-yaml.js';

const scenario = (pipelines: object[], clock: object = {}, expectations: object[] = []): object => ({
  name: 'discipline',
  duration: '4 h',
  warmup: '30 min',
  world: {
    clock: { use: 'oscillator', timeError: '50 ms', frequencyError: '40 ppm', ...clock },
    servers: [{ name: 'a', delay: '1 ms', jitter: { use: 'exponential', mean: '50 us' } }],
  },
  pipelines,
  expectations,
});

const disciplined = (name: string, options: object = {}): object => ({
  name,
  filters: ['delay-excess'],
  discipline: { use: 'adjtimex', ...options },
});

test('a disciplined wall clock is scored beside its pipeline and stays close to it', async () => {
  const { summary } = await runYaml(
    scenario([disciplined('p')], {}, [{ pipeline: 'p.wall', metric: 'error.rms', atMost: '1 ms' }]),
  );
  expect(summary.pipelines.map(({ name }) => name)).toEqual(['bare-clock', 'p', 'p.wall']);
  expect(summary.expectations[0]!.holds).toBe(true);
});

test('one pipeline’s steering reaches no other: all figures are what they are without it', async () => {
  const plain = { name: 'q', filters: ['delay-excess'] };
  const alone = await runYaml(scenario([plain]));
  const beside = await runYaml(scenario([plain, disciplined('p'), disciplined('never', { steps: 0 })]));
  expect(beside.summary.pipelines.find(({ name }) => name === 'q')).toEqual(alone.summary.pipelines[1]);
});

test('without steps an error of 50 ms is slewed at 500 ppm: 100 s', async () => {
  const { summary } = await runYaml(
    scenario([disciplined('p', { steps: 0, step: '1 ms' }), disciplined('stepped', { step: '1 ms' })], {}, [
      { pipeline: 'p.wall', metric: 'convergedBy', within: '2 ms', atMost: '150 s', atLeast: '90 s' },
      { pipeline: 'stepped.wall', metric: 'convergedBy', within: '2 ms', atMost: '70 s' },
    ]),
  );
  expect(summary.expectations.filter(({ holds }) => !holds)).toEqual([]);
});

test('a frequency beyond what tick and kernel can make stays uncorrected', async () => {
  const clock = { frequencyError: '800 ppm' };
  const limited = disciplined('limited', { maxTick: 0 });
  const { summary } = await runYaml(scenario([disciplined('p'), limited], clock));
  const [, p, , wall, limitedWall] = summary.pipelines;
  expect(wall!.error!.max).toBeLessThan(1e-3);
  expect(p!.error!.max).toBeLessThan(1e-3);
  // 300 ppm for 64 s and more, which slewing catches up with.
  expect(limitedWall!.error!.max).toBeGreaterThan(5e-3);
});

test('a slew ends when it is done, a step is at once, and the frequency goes on', () => {
  const wall = new SteeredWall('w', 0.95, { steer: () => {} });
  const told = {
    time: 0,
    offset: 0,
    axis: 'wall',
    uncertainty: undefined,
    level: 0.95,
    maxError: undefined,
    by: '',
  } as const;
  const at = (counter: number) => wall.follow(told, told, { wall: counter, counter }, 'update');
  at(100);
  wall.slew(0.01, 5e-4);
  expect(wall.offsetAt(110)).toBeCloseTo(0.005, 12);
  expect(wall.offsetAt(500)).toBeCloseTo(0.01, 12);
  at(110);
  wall.step(1);
  expect(wall.offsetAt(500)).toBeCloseTo(1.005, 12);
  at(200);
  wall.setFrequency(1e-6);
  expect(wall.offsetAt(300)).toBeCloseTo(1.0051, 12);
});

test('a recording has no wall clock to steer, and says so', async () => {
  const replayed = { ...scenario([disciplined('p')]), world: { kind: 'replayed', trace: 'x.csv' } };
  await expect(runYaml(replayed)).rejects.toThrow('pipelines[0].discipline: steers a simulated wall clock');
});
