import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { escapement } from '../support/cli.js';
import { changed, fixture } from '../support/models.js';

// biome-ignore lint/suspicious/noExplicitAny: a card as it stands in its file, to be spoilt.
type Raw = any;

const folder = mkdtempSync(join(tmpdir(), 'escapement-model-'));

describe('escapement model', () => {
  test('gives a card the lengths of the model, which are those that it was exported with', async () => {
    const model = join(folder, 'timesfm-2.onnx');
    copyFileSync(fixture('timesfm-2.onnx'), model);
    expect((await escapement(['model', model])).stdout).toMatch(/has the signature of timesfm-1/);
    expect(await escapement(['model', model, '--like', 'timesfm-1'])).toMatchObject({ code: 0, stderr: '' });
    const card = JSON.parse(readFileSync(join(folder, 'timesfm-2.json'), 'utf8'));
    expect(card).toMatchObject({ context: { min: 32, max: 2048 }, horizon: { steps: 128 } });
    expect(card.outputs[0].shape).toEqual([null, 64, 128, 10]);
    expect((await escapement(['model', join(folder, 'timesfm-2.json')])).code).toBe(0);
  });

  test('knows a signature though another one has an input of the same name with another length', async () => {
    const model = fixture('irregular.onnx');
    const { stdout, stderr } = await escapement(['model', model]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/has the signature of irregular:/);
  });

  test('says what a model takes, drafts a card for it, checks the card, and the card runs', async () => {
    const model = join(folder, 'own.onnx');
    copyFileSync(fixture('n-hits.onnx'), model);
    const seen = await escapement(['model', model]);
    expect(seen.stdout).toMatch(/takes insample_y: float32 \[b, 60\]/);
    expect(seen.stdout).toMatch(/has the signature of n-hits/);
    const drafted = await escapement(['model', model, '--like', 'n-hits', '--licence', 'MIT', '--id', 'mine']);
    expect(drafted).toMatchObject({ code: 0, stderr: '' });
    const checked = await escapement(['model', join(folder, 'own.json'), '--json']);
    expect(JSON.parse(checked.stdout)).toMatchObject({ id: 'mine', task: 'forecast', licence: 'MIT', where: 'inline' });
    writeFileSync(
      join(folder, 'scenario.yaml'),
      [
        'name: own',
        'duration: 3 h',
        'warmup: 1 h',
        'world: { servers: [{ name: a, delay: 10 ms }] }',
        'sources: { ntp: { use: ntp, poller: { use: fixed, interval: 64 s } } }',
        'pipelines: [{ name: own, predictor: { use: onnx, card: own.json }, corrector: none }]',
        'expectations: [{ pipeline: own, metric: error.max, atMost: 10 us }]',
      ].join('\n'),
    );
    expect(await escapement(['run', join(folder, 'scenario.yaml')])).toMatchObject({ code: 0, stderr: '' });
  });

  test('fills a card that was written by hand, in place, and checks it', async () => {
    copyFileSync(fixture('n-hits.onnx'), join(folder, 'hand.onnx'));
    const file = join(folder, 'hand.json');
    const { golden, sha256, opset, ...own } = JSON.parse(readFileSync(fixture('n-hits.json'), 'utf8'));
    writeFileSync(file, JSON.stringify({ ...own, file: 'hand.onnx' }));
    const filled = await escapement(['model', file, '--fill']);
    expect(filled).toMatchObject({ code: 0, stderr: '' });
    expect(filled.stdout).toMatch(
      /hand\.json: filled in: sha256, opset, golden\.\n.*matches its card, its hash and its golden pair/,
    );
    const written = JSON.parse(readFileSync(file, 'utf8'));
    expect(written).toEqual({ ...own, file: 'hand.onnx', sha256, opset, golden });
    expect(Object.keys(written).indexOf('sha256')).toBe(Object.keys(written).indexOf('file') + 1);
    const before = readFileSync(file, 'utf8');
    expect((await escapement(['model', file, '--fill'])).stdout).toMatch(
      /hand\.json: nothing to fill in; left as it was: sha256, opset, golden\.\n/,
    );
    // Another model behind the same card: what the card says is what it is compared with.
    copyFileSync('models/linear.onnx', join(folder, 'hand.onnx'));
    for (const more of [[], ['--fill']]) {
      expect((await escapement(['model', file, ...more])).stderr).toMatch(/expected the SHA-256 of its card/);
    }
    expect(readFileSync(file, 'utf8')).toBe(before);
    const { golden: _, ...without } = written;
    writeFileSync(file, JSON.stringify({ ...without, sha256: null }));
    expect((await escapement(['model', file, '--fill', '--json'])).code).toBe(0);
    expect(JSON.parse(readFileSync(file, 'utf8')).golden.outputs).not.toEqual(golden.outputs);
  });

  test('fills in a card through a link, and leaves its mode and a golden pair of its own', async () => {
    const file = changed('n-hits', (card: Raw) => {
      delete card.sha256;
      card.golden.tolerance = 0.5;
    });
    chmodSync(file, 0o640);
    const link = join(folder, 'link.json');
    symlinkSync(file, link);
    const own = JSON.parse(readFileSync(file, 'utf8'));
    copyFileSync(fixture('n-hits.onnx'), join(folder, 'n-hits.onnx'));
    const { code, stdout } = await escapement(['model', link, '--fill']);
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/link\.json: filled in: sha256; left/),
    });
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o640);
    const written = JSON.parse(readFileSync(file, 'utf8'));
    expect(written).toEqual({ ...own, sha256: JSON.parse(readFileSync(fixture('n-hits.json'), 'utf8')).sha256 });
  });

  test('writes no draft over the model, nor over a card without --force', async () => {
    const model = join(folder, 'kept.onnx');
    const card = join(folder, 'kept.json');
    copyFileSync(fixture('n-hits.onnx'), model);
    const draft = (...more: readonly string[]) => escapement(['model', model, '--like', 'n-hits', ...more]);
    symlinkSync(model, join(folder, 'kept-link.onnx'));
    for (const out of [model, join(folder, 'kept-link.onnx')]) {
      const over = await draft('--out', out, '--force');
      expect(over).toMatchObject({ code: 2, stdout: '' });
      expect(over.stderr).toMatch(/--out .*kept.*\.onnx: expected a file for the card, found the model's own .*\n$/);
    }
    expect(readFileSync(model)).toEqual(readFileSync(fixture('n-hits.onnx')));
    writeFileSync(card, 'edited');
    expect(await draft()).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/kept\.json: is there already, and may have been edited \(--force writes/),
    });
    expect(readFileSync(card, 'utf8')).toBe('edited');
    expect(await draft('--force')).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(readFileSync(card, 'utf8')).id).toBe('kept');
  });

  test.each(['null', '3', '[]'])('does not fill in what is no card: %s', async text => {
    const file = join(folder, 'none.json');
    writeFileSync(file, text);
    const { code, stderr } = await escapement(['model', file, '--fill']);
    expect({ code, lines: stderr.trim().split('\n').length }).toEqual({ code: 2, lines: 1 });
    expect(stderr).toMatch(/none\.json: expected a card, an object, found /);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  test('fills in the files in which a model keeps its weights', async () => {
    const file = changed('external', (card: Raw) => {
      delete card.files;
    });
    expect((await escapement(['model', file])).stderr).toMatch(/files: expected 'external\.onnx_data' among them/);
    expect(await escapement(['model', file, '--fill'])).toMatchObject({ code: 0, stderr: '' });
    const written = JSON.parse(readFileSync(file, 'utf8'));
    expect(written).toEqual(JSON.parse(readFileSync(fixture('external.json'), 'utf8')));
  });

  test.each([
    [
      'a mistake in the card',
      'n-hits',
      (card: Raw): unknown => card.inputs.pop(),
      / inputs: the model also wants 'insample_mask'/,
    ],
    [
      'no model',
      'n-hits',
      (card: Raw): unknown => (card.file = 'gone.onnx'),
      /gone\.onnx: cannot be read: no such file/,
    ],
    [
      'a model with one answer to everything',
      'constant',
      () => {},
      /: expected other forecasts for another series, found the same for both/,
    ],
    [
      'a correction',
      'correction-none',
      () => {},
      / task: --fill knows what to ask a model that forecasts, found 'correction'/,
    ],
  ] as const)('leaves a card as it was that would not hold: %s', async (_, name, change, message) => {
    const file = changed(
      name === 'constant' ? 'n-hits' : name,
      card => {
        delete (card as Raw).sha256;
        delete (card as Raw).golden;
        change(card);
      },
      () => readFileSync(fixture(`${name}.onnx`)),
    );
    const before = readFileSync(file, 'utf8');
    const { code, stdout, stderr } = await escapement(['model', file, '--fill']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^escapement: .*\n$/);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });

  test.each([
    [['model', fixture('n-hits.onnx'), '--fill'], /--fill: expected a card \(\.json\), found the model/],
    [['model', join(folder, 'nowhere.onnx')], /nowhere\.onnx: cannot be read: no such file/],
    [
      ['model', fixture('n-hits.onnx'), '--like', 'n-hit'],
      /--like: unknown signature 'n-hit' \(did you mean 'n-hits'\?\)/,
    ],
    [['model', fixture('n-hits.onnx'), '--like', 'ttm'], /as ttm: inputs\[0\]\.name: the model has no 'past_values'/],
    [['model', fixture('n-hits.json'), '--like', 'ttm'], /--like: expected a model \(\.onnx\), found the card/],
  ] as const)('answers bad input in one line: %j', async (args, message) => {
    const { code, stdout, stderr } = await escapement(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr.trim()).not.toContain('\n');
  });

  test('without onnxruntime-node everything else works, and one line says what to do', async () => {
    const hook = join(folder, 'hook.mjs');
    writeFileSync(
      hook,
      "export const resolve = (name, context, next) => {\n  if (name === 'onnxruntime-node') throw new Error('no binding for this platform');\n  return next(name, context);\n};\n",
    );
    const block = join(folder, 'block.mjs');
    writeFileSync(block, `import { register } from 'node:module';\nregister(${JSON.stringify(`file://${hook}`)});\n`);
    const env = { NODE_OPTIONS: `--import file://${block}` };
    const blocked = await escapement(['model', fixture('n-hits.json')], env);
    expect(blocked.code).toBe(2);
    expect(blocked.stderr).toMatch(
      /^escapement: onnxruntime-node: cannot be loaded here: no binding for this platform \(.*npm install onnxruntime-node/,
    );
    const valid = await escapement(['validate', 'scenarios/bring-your-own-model.yaml'], env);
    expect(valid).toMatchObject({ code: 0, stderr: '' });
    expect(valid.stdout).toMatch(
      /: valid\n {2}warning: .* pipelines\[\d\]\.predictor\.order\[0\]: onnxruntime-node: cannot be loaded here: .*\n$/,
    );
    const run = await escapement(['run', 'scenarios/bring-your-own-model.yaml', '--json'], env);
    // Its expectations may break without the model; nothing else does.
    expect(run.code).not.toBe(2);
    expect(run.stderr).toBe('');
    expect(JSON.parse(run.stdout).pipelines.find(({ name }: { name: string }) => name === 'model').samples).toBe(36001);
  });

  test('refuses a model that answers the same to whatever it is shown', async () => {
    const model = join(folder, 'constant.onnx');
    copyFileSync(fixture('constant.onnx'), model);
    expect((await escapement(['model', model, '--like', 'n-hits'])).code).toBe(0);
    const checked = await escapement(['model', join(folder, 'constant.json')]);
    expect(checked).toMatchObject({ code: 2, stdout: '' });
    expect(checked.stderr).toMatch(
      /^escapement: .*expected other forecasts for another series, found the same for both\n$/,
    );
  });

  test('finds a shipped model by its name', async () => {
    const seen = await escapement(['model', 'clock-gru']);
    expect(seen).toMatchObject({ code: 0, stderr: '' });
    expect(seen.stdout).toMatch(/'clock-gru' \(correction, MIT\) matches its card/);
  });

  test('the card that is drafted for a shipped model is the shipped one', async () => {
    const out = join(folder, 'linear.json');
    const shipped = JSON.parse(readFileSync('models/linear.json', 'utf8'));
    await escapement(['model', 'models/linear.onnx', '--like', 'n-hits', '--out', out, '--id', 'linear']);
    const drafted = JSON.parse(readFileSync(out, 'utf8'));
    expect(drafted.golden).toEqual(shipped.golden);
    expect(drafted.sha256).toBe(shipped.sha256);
  });
});
