import { cpSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Container } from 'inversify';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Estimate, type Predictor, World } from '../../../src/core/contracts/index.js';
import { makePlugin, type PluginChoice, type PluginKind } from '../../../src/core/plugin/registry.js';
import { InputFolder, PluginFactory, Report } from '../../../src/core/plugin/tokens.js';
import { SimulatedWorld } from '../../../src/core/world/simulated-world.js';
import { loadAllPlugins } from '../../../src/plugins/index.js';
import { life, TestHistory } from '../../contract/conformance.js';
import { runYaml, type Told } from '../../support/run-yaml.js';

const fixtures = fileURLToPath(new URL('../../fixtures/models/', import.meta.url));
const card = (name: string): string => join(fixtures, `${name}.json`);

/** A clock across the internet for some hours: the default estimator beside `learned` with a model. */
const played = (path: string, duration = '3 h'): Promise<Told> =>
  runYaml(
    {
      name: 'learned',
      duration,
      sampling: { interval: '60 s' },
      world: {
        clock: { use: 'oscillator', frequencyError: '20 ppm', wander: 1e-9 },
        servers: [{ name: 'wan', delay: '10 ms', jitter: { use: 'exponential', mean: '1 ms' } }],
      },
      pipelines: [
        { name: 'default', corrector: 'ensemble' },
        { name: 'learned', predictor: { use: 'learned', model: { use: 'onnx', card: path } }, corrector: 'none' },
      ],
    },
    60,
  );

/** What was told, pipeline by pipeline. */
const toldBy = ({ samples }: Told, pipeline: string) =>
  samples.filter(sample => sample.pipeline === pipeline).map(({ told }) => told);

const sameOffsets = (run: Told): void => {
  const other = toldBy(run, 'default');
  expect(other.length).toBeGreaterThan(100);
  toldBy(run, 'learned').forEach(({ offset }, i) => {
    expect(offset).toBeCloseTo(other[i]!.offset, 12);
  });
};

const whys = ({ events }: Told): string => events.map(({ what }) => what).join('\n');

describe('the learned predictor', () => {
  test('with a model that corrects nothing tells what the default estimator tells', async () => {
    const run = await played(card('correction-none'));
    sameOffsets(run);
    expect(toldBy(run, 'learned').at(-1)!.by).toBe('learned');
  });

  describe('falls back to the default estimator, and says why, where its model', () => {
    let scratch: string;
    const copy = (name: string, change: (text: string) => string = text => text): string => {
      const file = join(scratch, `${name}.json`);
      cpSync(join(fixtures, 'correction-none.onnx'), join(scratch, `${name}.onnx`));
      const text = readFileSync(card('correction-none'), 'utf8').replaceAll('correction-none', name);
      writeFileSync(file, change(text));
      return file;
    };
    beforeAll(() => {
      scratch = mkdtempSync(join(tmpdir(), 'escapement-learned-'));
    });

    test.each([
      ['is missing', () => join(scratch, 'nowhere.json'), /nowhere\.json: cannot be read: no such file/],
      [
        'is truncated',
        () => {
          const file = copy('truncated');
          truncateSync(join(scratch, 'truncated.onnx'), 300);
          return file;
        },
        /truncated\.onnx: expected the SHA-256 of its card/,
      ],
      ['is of another opset', () => card('opset'), /opset/i],
      [
        'has other shapes',
        () => card('correction-short'),
        /expected 'quantiles' to be \[batch, 6, 9\], found \[1, 5, 9\]/,
      ],
      ['was made for something else', () => card('n-hits'), /expected a model that corrects .*found 'forecast'/],
      [
        'was trained on other features',
        () => copy('other', text => text.replace('residual-window/2', 'residual-window/0')),
        /expected the features 'residual-window\/2', found 'residual-window\/0'/,
      ],
      [
        'has other quantiles',
        () => copy('levels', text => text.replace('0.025, 0.1,', '0.05, 0.1,')),
        /expected parameters\.levels to be/,
      ],
    ])('%s', async (_, path, why) => {
      const run = await played(path());
      sameOffsets(run);
      expect(toldBy(run, 'learned').every(({ by }) => by !== 'learned')).toBe(true);
      expect(whys(run)).toMatch(/the model cannot be used, the classical estimator answers: /);
      expect(whys(run)).toMatch(why);
    });

    test.each([
      ['begins to answer NaN', 'correction-nan', /answer dropped, not finite; .* \(100 so far\)/],
      [
        'answers what cannot be',
        'correction-absurd',
        /answer dropped, a correction of 50 deviations; .* \(100 so far\)/,
      ],
    ])('%s', async (_, name, why) => {
      const run = await played(card(name));
      sameOffsets(run);
      expect(toldBy(run, 'learned').at(-1)!.by).not.toBe('learned');
      expect(whys(run)).toMatch(why);
      const [use] = run.summary.models;
      const dropped = use!.dropped[/dropped, (.*?);/.exec(why.source)![1]!]!;
      const { learned = 0, 'few-measurements': few, ...instead } = use!.told!;
      expect(instead).toEqual({ 'absurd-answer': dropped });
      expect(use).toMatchObject({
        part: 'pipelines/learned/predictor',
        model: name,
        asked: learned + dropped,
        late: 0,
      });
      expect(few).toBe(3);
    });
  });

  test('shuts the gate on a model that is always wrong', async () => {
    const run = await played(card('correction-biased'), '12 h');
    expect(whys(run)).toMatch('the learned correction has scored worse');
    const [, learned] = run.summary.pipelines.filter(({ name }) => name !== 'bare-clock');
    expect(learned!.name).toBe('learned');
    const last = toldBy(run, 'default').slice(-30);
    toldBy(run, 'learned')
      .slice(-30)
      .forEach(({ offset }, i) => {
        expect(offset).toBeCloseTo(last[i]!.offset, 12);
      });
  });

  test('tells the same to the bit beside others that ask the model in the same batch', async () => {
    const told = async (...others: object[]) => {
      const { samples } = await runYaml(
        {
          name: 'beside',
          duration: '1 h',
          world: {
            clock: { use: 'oscillator', frequencyError: '20 ppm', wander: 1e-9 },
            servers: [{ name: 'wan', delay: '10 ms', jitter: { use: 'exponential', mean: '1 ms' } }],
          },
          sources: { ntp: { use: 'ntp', servers: ['wan'], poller: { use: 'fixed', interval: '16 s' } } },
          pipelines: [...others, { name: 'one', predictor: 'learned', corrector: 'none' }],
        },
        5,
      );
      return samples.filter(({ pipeline }) => pipeline === 'one').map(({ told }) => [told.offset, told.uncertainty]);
    };
    const alone = await told();
    expect(alone.length).toBeGreaterThan(700);
    // Another window: it lacks the first quarter of an hour.
    const other = {
      name: 'two',
      filters: [{ use: 'warm-up', measurements: 56 }],
      predictor: 'learned',
      corrector: 'none',
    };
    expect(await told(other)).toEqual(alone);
  });

  describe('with a latency', () => {
    const POLL = 64;
    const run = (latency: string, predictEvery?: string): Promise<Told> =>
      runYaml(
        {
          name: 'latency',
          duration: '2 h',
          world: {
            clock: { use: 'oscillator', frequencyError: '20 ppm', wander: 1e-9 },
            servers: [{ name: 'wan', delay: '10 ms', jitter: { use: 'exponential', mean: '1 ms' } }],
            // Where there are faults, they may have a hand in the predictors.
            faults: [{ use: 'clock-step', at: '30 min', by: '1 ms' }],
          },
          sources: { ntp: { use: 'ntp', servers: ['wan'], poller: { use: 'fixed', interval: `${POLL} s` } } },
          pipelines: [
            { name: 'default', corrector: 'ensemble' },
            { name: 'prompt', predictor: 'learned', corrector: 'none' },
            {
              name: 'late',
              predictor: { use: 'learned', latency },
              corrector: 'none',
              ...(predictEvery && { predictEvery }),
            },
          ],
        },
        1,
      );
    /** Seconds since the last measurement at every second of the second hour, and what each pipeline told then. */
    const seconds = ({ samples, rounds }: Told) => {
      const measured = rounds.filter(({ pipeline }) => pipeline === 'late').map(({ t }) => t);
      const at = (name: string) => samples.filter(({ pipeline, t }) => pipeline === name && t >= 3600);
      const [byDefault, prompt] = [at('default'), at('prompt')];
      return at('late').map(({ t, told }, i) => ({
        age: t - measured.findLast(time => time < t)!,
        late: told,
        prompt: prompt[i]!.told,
        classical: byDefault[i]!.told,
      }));
    };

    test.each([
      ['in a pipeline that is asked with each measurement', undefined, 0],
      ['and in one that predicts between them', '5 s', 5],
    ])('tells the classical estimate until the answer comes into force: %s', async (_, predictEvery, every) => {
      const told = seconds(await run('20 s', predictEvery));
      expect(told.length).toBe(3601);
      for (const { age, late, prompt, classical } of told) {
        // The first prediction after a measurement asks; what was told before it goes on until then.
        const asked = age >= every;
        if (asked && age < 20) {
          expect(late).toMatchObject({ by: 'ensemble', offset: expect.closeTo(classical.offset, 12) });
        }
        if (age > 20 + every) expect(late).toMatchObject({ by: 'learned', offset: expect.closeTo(prompt.offset, 12) });
      }
      expect(told.filter(({ late }) => late.by === 'learned').length / told.length).toBeGreaterThan(0.5);
      // The two differ, so that one is not taken for the other.
      expect(told.some(({ prompt, classical }) => Math.abs(prompt.offset - classical.offset) > 1e-6)).toBe(true);
    });

    test('longer than a poll never tells a correction that does not know the last measurement, and says so', async () => {
      const run90 = await run('90 s');
      for (const { late, classical } of seconds(run90)) {
        expect(late).toMatchObject({ by: 'ensemble', offset: expect.closeTo(classical.offset, 12) });
      }
      const [, late] = run90.summary.models;
      // The last question's answer has not come into force when the run ends.
      expect(late).toMatchObject({ late: late!.asked - 1, told: { 'no-answer': late!.asked - 1 } });
      expect(whys(run90)).toMatch(
        'model: no answer before the next measurement; the classical estimator answers (10 so far)',
      );
    });
  });

  test('an answer to what was asked before a leap second is told for the time after it', async () => {
    await loadAllPlugins();
    const told = async (leap: number): Promise<Estimate> => {
      const predictor = realtime({ use: 'onnx', card: 'models/clock-gru.json' }, []);
      const history = new TestHistory();
      for (const measurement of life().slice(0, 60)) history.add(measurement);
      const asking = predictor.predict(history, life()[59]!.at);
      predictor.leap!(leap);
      return (await asking)!;
    };
    const [before, after] = [await told(0), await told(-1)];
    expect(after.by).toBe('learned');
    expect(after.offset).toBeCloseTo(before.offset - 1, 9);
  });

  test('does not wait for a model that takes a second, in real time', async () => {
    await loadAllPlugins();
    const reports: string[] = [];
    const predictor = realtime({ use: 'onnx', card: card('correction-slow'), timeLimit: '20 ms' }, reports);
    const history = new TestHistory();
    for (const measurement of life().slice(0, 60)) {
      history.add(measurement);
      if (history.measurements.length < 58) continue;
      const begun = performance.now();
      expect(await predictor.predict(history, measurement.at)).toMatchObject({ by: 'ensemble' });
      if (history.measurements.length === 60) expect(performance.now() - begun).toBeLessThan(1000);
    }
    expect(reports.join('\n')).toMatch('no answer in time; the classical estimator answers (1 so far)');
    const { late, told, asked } = predictor.modelUse!()!;
    expect({ late, told }).toEqual({ late: asked, told: { 'no-answer': asked } });
    // Of two questions that both come to nothing, neither is counted twice, though one was overtaken besides.
    const more = life().slice(60, 62);
    const both = more.map(measurement => {
      history.add(measurement);
      return predictor.predict(history, measurement.at);
    });
    await Promise.all(both);
    expect(predictor.modelUse!()).toMatchObject({ asked: asked + 2, late: asked + 2 });
  });
});

/** The predictor in a world whose time is real. */
function realtime(model: PluginChoice, reports: string[]): Predictor {
  const clock = { world: 'simulated', granularity: 0, phase: () => 0, frequency: () => 0 } as const;
  const root = new Container();
  root.bind(World).toConstantValue({ ...new SimulatedWorld('1', 0, clock, []).view, kind: 'real' });
  root.bind(InputFolder).toConstantValue('.');
  root.bind(Report).toConstantValue((what: string) => void reports.push(what));
  const factory = ((kind: PluginKind, choice: PluginChoice) => makePlugin(kind, choice, 'test', root)) as PluginFactory;
  root.bind(PluginFactory).toConstantValue(factory);
  return makePlugin('predictor', { use: 'learned', model }, 'test', root);
}
