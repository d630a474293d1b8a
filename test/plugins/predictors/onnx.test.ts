import { InferenceSession, type Tensor } from 'onnxruntime-node';
import { describe, expect, test, vi } from 'vitest';
import { changed, fixture } from '../../support/models.js';
import { runYaml } from '../../support/run-yaml.js';

/** A noiseless clock that is 10 ppm fast, or a noisy one, asked every 64 s; each predictor told as it is. */
const world = (predictors: Record<string, object>, jitter: object | undefined, duration = '150 min') => ({
  name: 'models',
  seed: 3,
  duration,
  warmup: '80 min',
  world: {
    kind: 'simulated',
    clock: { use: 'oscillator', timeError: '1 ms', frequencyError: '10 ppm' },
    servers: [{ name: 'a', delay: '10 ms', ...(jitter && { jitter }) }],
  },
  sources: { ntp: { use: 'ntp', servers: ['a'], poller: { use: 'fixed', interval: '64 s' } } },
  pipelines: Object.entries(predictors).map(([name, predictor]) => ({ name, predictor, corrector: 'none' })),
});

const model = (name: string, more: object = {}) => ({ use: 'onnx', card: fixture(`${name}.json`), ...more });
const withFallback = (name: string) => ({ use: 'fallback', order: [model(name), 'last-value'] });
const EXPONENTIAL = { use: 'exponential', mean: '1 ms' };

describe('a forecasting model in a pipeline', () => {
  test('of every known layout keeps a drifting clock: it learns from measurements at their own times', async () => {
    const names = ['chronos-bolt', 'chronos-2', 'timesfm-1', 'timesfm-2.5', 'ttm', 'n-hits', 'irregular'];
    const { summary } = await runYaml(world(Object.fromEntries(names.map(name => [name, model(name)])), undefined));
    for (const name of names) {
      const pipeline = summary.pipelines.find(one => one.name === name)!;
      expect(pipeline.error!.max, name).toBeLessThan(2e-6);
      expect(pipeline.bounds.maxErrorCoverage, name).toBe(1);
    }
  });

  test('tells the same alone and side by side with others, which share its session', async () => {
    const alone = await runYaml(world({ one: model('irregular') }, EXPONENTIAL));
    const beside = await runYaml(
      world({ one: model('irregular'), two: model('irregular'), three: model('n-hits') }, EXPONENTIAL),
    );
    const told = ({ samples }: typeof alone) =>
      samples.filter(({ pipeline }) => pipeline === 'one').map(({ told }) => told.time);
    expect(told(beside)).toEqual(told(alone));
    expect(told(alone).length).toBeGreaterThan(100);
  });

  test('is run once for all pipelines side by side, which tell what each tells alone', async () => {
    // The first run also loads and checks the model.
    const alone = await runYaml(world({ one: model('n-hits') }, EXPONENTIAL));
    const session = await InferenceSession.create(fixture('n-hits.onnx'));
    const run = vi.spyOn(Object.getPrototypeOf(session) as InferenceSession, 'run');
    const rows = (): readonly number[] => run.mock.calls.map(([feeds]) => (feeds['insample_y'] as Tensor).dims[0]!);
    try {
      await runYaml(world({ one: model('n-hits') }, EXPONENTIAL));
      const once = rows();
      expect(new Set(once)).toEqual(new Set([1]));
      expect(once.length).toBeGreaterThan(100);
      run.mockClear();
      const two = await runYaml(world({ one: model('n-hits'), two: model('n-hits') }, EXPONENTIAL));
      expect(rows()).toEqual(once.map(() => 2));
      run.mockClear();
      // Among others that answer at once, one behind a fallback order.
      const more = {
        plain: { use: 'theil-sen' },
        one: model('n-hits'),
        two: model('n-hits'),
        three: withFallback('n-hits'),
      };
      const three = await runYaml(world(more, EXPONENTIAL));
      expect(rows()).toEqual(once.map(() => 3));
      const told = ({ samples }: typeof alone, name: string) =>
        samples.filter(({ pipeline }) => pipeline === name).map(({ told }) => told);
      for (const beside of [two, three]) {
        for (const name of ['one', 'two']) expect(told(beside, name)).toEqual(told(alone, 'one'));
      }
    } finally {
      run.mockRestore();
    }
  });

  test('answers with several servers, which answer within milliseconds, and says what it waits for', async () => {
    const names = ['n-hits', 'irregular'];
    const alone = world(Object.fromEntries(names.map(name => [name, model(name)])), undefined);
    const servers = ['a', 'b', 'c', 'd'];
    const { samples, summary, events } = await runYaml({
      ...alone,
      world: { ...alone.world, servers: servers.map((name, i) => ({ name, delay: `${10 + 2 * i} ms` })) },
      sources: { ntp: { ...alone.sources.ntp, servers } },
    });
    for (const name of names) {
      const late = samples.filter(sample => sample.pipeline === name && sample.t > 80 * 60);
      expect(late.length, name).toBeGreaterThan(100);
      expect(late.every(({ estimate }) => estimate?.by === 'onnx')).toBe(true);
      expect(summary.pipelines.find(one => one.name === name)!.error!.max, name).toBeLessThan(5e-6);
      const waits = events.filter(({ what }) => what.startsWith(`model '${name}' is not asked`));
      // The first measurement, the packets that follow within seconds, the turns after them: not one for each.
      expect(waits[0]!.what).toMatch(/too few measurements \(1 of \d+\)$/);
      expect(waits.length).toBeLessThanOrEqual(3);
    }
  });

  test.each([
    ['between two measurements', undefined, '20 s', 20, (one: object) => one],
    ['in a fallback order', undefined, '20 s', 20, (one: object) => ({ use: 'fallback', order: [one] })],
    ['between two predictions', '50 s', '20 s', 20, (one: object) => one],
    ['though newer questions are asked meanwhile', '5 s', '150 s', 150, (one: object) => one],
  ])('answers when its latency is over: %s', async (_, predictEvery, latency, delay, asked) => {
    // A period of its own: the horizon after a burst would be shorter than the latency.
    const card = changed('irregular', one => Object.assign(one, { sampling: { mode: 'irregular', period: 64 } }));
    const predictors = { prompt: asked({ use: 'onnx', card }), late: asked({ use: 'onnx', card, latency }) };
    const plain = world(predictors, EXPONENTIAL, '1 h');
    const pipelines = plain.pipelines.map(one => ({ ...one, ...(predictEvery && { predictEvery }) }));
    const { samples } = await runYaml({ ...plain, warmup: 0, pipelines }, 1);
    const told = (name: string) =>
      samples.filter(({ pipeline, estimate }) => pipeline === name && estimate?.by === 'onnx');
    const [prompt, late] = [told('prompt'), told('late')];
    const after = late[0]!.t - prompt[0]!.t;
    expect(after).toBeGreaterThanOrEqual(delay - 1);
    expect(after).toBeLessThanOrEqual(delay + 1);
    // From then on there is always an answer, and newer ones replace it.
    expect(late).toHaveLength(prompt.length - after);
    const lines = new Set(late.map(({ estimate }) => estimate!.drift));
    expect(lines.size).toBeGreaterThan(40);
  });

  test('counts as late what comes when its forecast is over', async () => {
    const { events, summary } = await runYaml(world({ late: model('n-hits', { latency: '1 h' }) }, EXPONENTIAL));
    const [use] = summary.models!;
    // Those whose hour lies after the end are still to come.
    expect(use!.late).toBeGreaterThan(50);
    expect(use!.asked - use!.late).toBeLessThan(60);
    expect(events.map(({ what }) => what)).toContain(
      "model 'n-hits': no answer before its forecast was over (1 so far)",
    );
  });

  test('that answers late leaves the word to a corrector that has one', async () => {
    const plain = world({ late: model('irregular', { latency: '20 s' }) }, EXPONENTIAL, '1 h');
    const pipelines = plain.pipelines.map(one => ({ ...one, corrector: 'ensemble' }));
    const { samples } = await runYaml({ ...plain, warmup: 0, pipelines }, 1);
    const told = samples.filter(({ pipeline, t }) => pipeline === 'late' && t > 60);
    expect(told.length).toBeGreaterThan(3000);
    expect(new Set(told.map(({ estimate }) => estimate?.by))).toEqual(new Set(['ensemble']));
  });

  test.each([
    ['nan', /'nan': answer dropped, not finite \(1 so far\)/],
    ['absurd', /'absurd': answer dropped, absurd \(10 so far\)/],
    ['crossing', /'crossing': answer dropped, crossing quantiles \(10 so far\)/],
    ['stuck', /'stuck': answer dropped, constant \(1 so far\)/],
  ])('%s: wrong answers are counted and dropped, and the next in the order answers', async (name, message) => {
    const { summary, events, samples } = await runYaml(world({ pipeline: withFallback(name) }, EXPONENTIAL));
    expect(events.map(({ what }) => what).join('\n')).toMatch(message);
    const [use] = summary.models;
    expect(use).toMatchObject({ part: 'pipelines/pipeline/predictor/0-onnx', model: name, late: 0 });
    const [, why] = /dropped, (.*) \(/.exec(message.source.replaceAll('\\', ''))!;
    expect(Object.keys(use!.dropped)).toEqual([why]);
    const said = events.flatMap(({ what }) => /dropped, .* \((\d+) so far/.exec(what)?.[1] ?? []);
    expect(use!.dropped[why!]).toBeGreaterThanOrEqual(Number(said.at(-1)));
    expect(use!.dropped[why!]).toBeLessThan(use!.asked);
    expect(summary.pipelines[1]!.error!.max).toBeLessThan(5e-3);
    expect(samples.some(({ estimate }) => estimate?.by === 'last-value')).toBe(true);
  });

  test('that cannot be loaded leaves the pipeline to what it has, and one line says why', async () => {
    const missing = { use: 'fallback', order: [{ use: 'onnx', card: fixture('nowhere.json') }, 'last-value'] };
    const { events, summary } = await runYaml(world({ pipeline: missing }, EXPONENTIAL, '2 h'));
    const lines = events.filter(({ what }) => /cannot be loaded/.test(what));
    expect(lines.map(({ what }) => what)).toEqual([
      expect.stringMatching(/nowhere\.json: cannot be read: no such file$/),
    ]);
    expect(summary.pipelines[1]!.error!.max).toBeLessThan(5e-3);
  });
});
