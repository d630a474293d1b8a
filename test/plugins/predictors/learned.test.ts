import { cpSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Container } from 'inversify';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Predictor, World } from '../../../src/core/contracts/index.js';
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
