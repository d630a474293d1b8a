import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ended, escapement, filesIn, scratch, write } from '../support/escapement.js';

const folder = scratch();

const SCENARIO = `name: x
duration: 10 min
world: { servers: [{ name: a }] }
pipelines: [{ name: p, corrector: CORRECTOR }]
`;

const scenario = (name: string, corrector = name): string =>
  write(folder, `${name}.yaml`, SCENARIO.replace('CORRECTOR', corrector));

const good = scenario('kalman');

/** A corrector from outside, in JavaScript. */
const corrector = (name: string, body: string, made = ''): string =>
  write(
    folder,
    `${name}.js`,
    `import { plugin, z } from 'escapement';
class Failing { constructor() { ${made} } correct(prior, measurement) { ${body} } }
plugin({ kind: 'corrector', name: '${name}', summary: 'Fails', options: z.object({}) })(Failing);
`,
  );

/** Bad input: exit code 2, one line on standard error, nothing on standard output, and no stack trace. */
function expectRefusal({ status, stdout, stderr }: Ended, message: string | RegExp): void {
  expect(stderr).toMatch(/^escapement: .*\n$/);
  if (typeof message === 'string') expect(stderr).toBe(`escapement: ${message}\n`);
  else expect(stderr).toMatch(message);
  expect(stdout).toBe('');
  expect(status).toBe(2);
}

// biome-ignore lint/suspicious/noExplicitAny: a card as it stands in its file, to be spoilt.
type Raw = any;

describe('bad input', () => {
  test('a mistake in a scenario', () => {
    const file = scenario('kalmann');
    expectRefusal(
      escapement(['run', file, '--json']),
      `${file}:4 pipelines[0].corrector.use: unknown corrector 'kalmann' (did you mean 'kalman'?)`,
    );
  });

  test('a mistake in a sink that an option names', () => {
    for (const [sink, message] of [
      ['zzz', "unknown sink 'zzz' (known: "],
      ['{use: csv, foo: 3}', 'foo: is not an option here'],
      ['{use: ntp-server, port: x}', "port: expected a number, found 'x'"],
    ] as const) {
      const ended = escapement(['live', '--demo', '--json', '--for', '1 s', '--sink', sink]);
      expectRefusal(ended, /--sink/);
      expect(ended.stderr).toContain(`escapement: --sink ${sink}: ${message}`);
    }
  });

  test('what is no scenario, in several ways', () => {
    for (const [text, message] of [
      ['', ': expected a scenario (a map with `name`, `world`, …), found nothing'],
      ['extends: none.yaml\n', ' extends: goes in a circle, back to '],
      ['extends: missing.yaml\n', ' extends: '],
      ['name: [\n', ':2: is not YAML: '],
      ['a: &a [*a]\n', ''],
      ['a: *b\n', ': is not YAML: Unresolved alias'],
    ] as const) {
      const file = write(folder, 'none.yaml', text);
      const ended = escapement(['run', file, '--json']);
      expectRefusal(ended, /^escapement: /);
      expect(ended.stderr).toContain(`${file}${message}`);
    }
  });

  test.each([
    [
      'a file that is not there',
      ['run', join(folder, 'missing.yaml')],
      /missing\.yaml: cannot be read: no such file or folder$/m,
    ],
    ['a folder', ['run', folder], /: cannot be read: it is a folder$/m],
    [
      'a plugin that is not there',
      ['run', good, '--plugin', './missing.ts'],
      /^escapement: --plugin \.\/missing\.ts: no such file$/m,
    ],
    ['a shrinking of nothing', ['run', good, '--shrink'], /^escapement: --shrink: .* expected --chaos with it$/m],
    [
      'a folder for many runs',
      ['run', good, '--chaos', '2', '--out', 'x'],
      /^escapement: --out: is for one run: --chaos makes many and keeps none$/m,
    ],
    [
      'two runs in one folder',
      ['run', good, good, '--out', join(folder, 'twice')],
      /kalman\.yaml: is named 'x' as .*kalman\.yaml is: both would be kept in .*twice/m,
    ],
    [
      'a schema into a folder',
      ['schema', '--out', folder],
      /^escapement: --out .*: cannot be written: it is a folder$/m,
    ],
    [
      'a folder of output that is a file',
      ['run', good, '--json', '--out', good],
      /^escapement: --out .*: cannot be made: /m,
    ],
  ])('%s', (_, args, message) => {
    expectRefusal(escapement(args), message);
  });

  test('a folder of output with something else in it, which is left alone', () => {
    const foreign: readonly (readonly [Record<string, string>, RegExp])[] = [
      [{ 'thesis.csv': 'years of work' }, /found thesis\.csv and no manifest\.json/],
      ...['{"name":"app"}', '', 'null', '[]', '{"escapement":"^1.0.0"}', '{"escapement":1,"scenario":"x"'].map(
        manifest =>
          [
            { 'data.csv': 'a', 'manifest.json': manifest, 'report.html': 'b', 'samples-p.csv': 'c', 'x.log': 'd' },
            /its manifest\.json is no run's/,
          ] as const,
      ),
    ];
    for (const [index, [files, found]] of foreign.entries()) {
      const out = join(folder, `precious-${index}`);
      mkdirSync(out);
      for (const [name, text] of Object.entries(files)) write(out, name, text);
      const ended = escapement(['run', good, '--json', '--out', out]);
      expectRefusal(ended, /--out .*precious-\d: the folder holds something other than a run; it is left alone/);
      expect(ended.stderr).toMatch(found);
      expect(filesIn(out)).toEqual(files);
    }
  });

  test('a folder of output where a folder has the name of one of its files: nothing is taken away', () => {
    const out = join(folder, 'blocked');
    expect(escapement(['run', good, '--json', '--out', out]).status).toBe(0);
    const before = filesIn(out);
    const other = write(folder, 'other.yaml', SCENARIO.replace('name: p', 'name: q').replace('CORRECTOR', 'kalman'));
    // One that the earlier run may have written, and one that only the next one writes.
    for (const [file, name] of [
      [good, 'events.csv'],
      [other, 'samples-q.csv'],
    ] as const) {
      mkdirSync(join(out, name));
      expectRefusal(
        escapement(['run', file, '--json', '--out', out]),
        `--out ${out}: expected ${name} in it to be a file, found a folder; nothing is changed`,
      );
      rmSync(join(out, name), { recursive: true });
      expect(filesIn(out)).toEqual(before);
    }
  });

  test.runIf(existsSync('/proc/self'))('a folder of output where none can be made', () => {
    for (const [command, what] of [
      [['run', good, '--json', '--out', '/proc/none'], 'made'],
      [['dataset', '--clocks', '1', '--out', '/proc/none/below'], 'made'],
      [['schema', '--out', '/proc/none/schema.json'], 'written'],
    ] as const) {
      const message = `--out ${command.at(-1)}: cannot be ${what}: no folder can be made in /proc`;
      expectRefusal(escapement(command), message);
    }
  });

  test('validate says what is wrong with each file, and which are right', () => {
    const bad = scenario('kalmann');
    const { status, stdout, stderr } = escapement(['validate', good, bad]);
    expect(status).toBe(2);
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toEqual([
      `${good}: valid`,
      `${bad}:4 pipelines[0].corrector.use: unknown corrector 'kalmann' (did you mean 'kalman'?)`,
      '',
    ]);
    expect(escapement(['validate', good]).status).toBe(0);
  });

  const linear = (change: (card: Raw) => void): string => {
    const card = JSON.parse(readFileSync('models/linear.json', 'utf8'));
    copyFileSync('models/linear.onnx', join(folder, 'linear.onnx'));
    change(card);
    return JSON.stringify(card);
  };

  test.each([
    [
      'a recording',
      'world: { kind: replayed, trace: none.csv }',
      'world: FOLDER/none.csv: cannot be read: no such file',
    ],
    [
      'delays that are not there',
      'world: { servers: [{ name: a, out: { jitter: { use: empirical, file: none.csv } } }] }',
      'world.servers[0].jitter: none.csv: cannot be read: no such file',
    ],
    [
      'delays within a mixture that are no numbers',
      'world: { servers: [{ name: a, jitter: { use: mixture, of: [{ weight: 1, law: { use: empirical, file: words.csv } }] } }] }',
      "world.servers[0].jitter.of[0].law: words.csv:2: expected a number in column 1, found 'many'",
    ],
    [
      'temperatures that are not there',
      'world: { clock: { use: oscillator, parts: [{ use: temperature, ambient: [{ shape: csv, file: none.csv }] }] }, servers: [{ name: a }] }',
      'world.clock.parts[0]: none.csv: cannot be read: no such file',
    ],
  ])('validate opens what a scenario names, as run does: %s', (_, world, message) => {
    write(folder, 'words.csv', '1\nmany\n');
    const file = write(folder, 'names.yaml', `name: x\nduration: 10 min\n${world}\n`);
    const expected = `${file} ${message.replace('FOLDER', folder)}`;
    const validated = escapement(['validate', file]);
    expect(validated).toMatchObject({ status: 2, stderr: '' });
    expect(validated.stdout).toContain(expected);
    expectRefusal(escapement(['run', file, '--json']), validated.stdout.trimEnd());
  });

  test.each([
    ['no card', undefined, 'onnx', /card\.json: cannot be read: no such file$/],
    [
      'a card with a mistake',
      (card: Raw): unknown => delete card['opset'] && delete card['inputs'],
      'onnx',
      /card\.json inputs: /,
    ],
    [
      'another file',
      (card: Raw): unknown => (card['sha256'] = '0'.repeat(64)),
      'onnx',
      /expected the SHA-256 of its card/,
    ],
    [
      'another signature',
      (card: Raw): unknown => (card.inputs[1].name = 'mask'),
      'onnx',
      /inputs\[1\]\.name: the model has no 'mask'/,
    ],
    [
      'another answer',
      (card: Raw) => (card.golden.outputs.forecast.data[0] += 1),
      'onnx',
      /golden\.outputs\.forecast\[0\]: expected /,
    ],
    [
      'a model of another kind',
      () => {},
      'learned',
      /expected a model that corrects \(task 'correction'\), found 'forecast'$/,
    ],
  ] as const)('validate loads the models that a scenario names: %s', (_, change, use, message) => {
    rmSync(join(folder, 'card.json'), { force: true });
    if (change !== undefined) write(folder, 'card.json', linear(change as never));
    const chosen =
      use === 'onnx' ? '{ use: onnx, card: card.json }' : '{ use: learned, model: { use: onnx, card: card.json } }';
    const text = SCENARIO.replace(
      'corrector: CORRECTOR',
      `predictor: { use: fallback, order: [theil-sen, ${chosen}] }, corrector: none`,
    );
    const file = write(folder, 'model.yaml', text);
    const { status, stdout, stderr } = escapement(['validate', file]);
    expect([status, stderr]).toEqual([2, '']);
    expect(stdout).toMatch(/\.yaml pipelines\[0\]\.predictor\.order\[1\]: .*\n$/);
    expect(stdout.trimEnd()).toMatch(message);
  });

  test('an unknown option of the command', () => {
    const { status, stderr, stdout } = escapement(['run', good, '--sede', '3']);
    expect(status).toBe(2);
    expect(stderr).toContain("unknown option '--sede'");
    expect(stderr).toContain('--seed');
    expect(stdout).toBe('');
  });
});

describe('a plugin from outside that fails', () => {
  test('when its file is read', () => {
    const module = write(folder, 'syntax.js', 'export const = 3;\n');
    expectRefusal(escapement(['run', good, '--json', '--plugin', module]), /syntax\.js: cannot be loaded: /);
  });

  test('when it is made', () => {
    const module = corrector('unmade', 'return prior;', "throw new Error('no licence');");
    const file = scenario('unmade');
    expectRefusal(
      escapement(['run', file, '--json', '--plugin', module]),
      `${file} pipelines[0].corrector: corrector 'unmade' could not be made: no licence`,
    );
  });

  test('when it runs', () => {
    const module = corrector('thrower', 'return measurement.nothing.there;');
    const out = join(folder, 'thrown');
    expectRefusal(
      escapement(['run', scenario('thrower'), '--json', '--plugin', module, '--out', out]),
      /^escapement: pipeline 'p', corrector: threw: Cannot read properties of undefined \(reading 'there'\)\n$/,
    );
    const files = filesIn(out);
    expect(JSON.parse(files['manifest.json']!)).toMatchObject({ status: 'failed' });
    expect(files['measurements.csv']!.split('\n').length).toBeGreaterThan(2);
  });

  test('when its answer is not a number', () => {
    const module = corrector(
      'nothing',
      "return { at: measurement.at, axis: 'counter', offset: 0 / 0, drift: 0, p00: 1, p01: 0, p11: 1, whiteFm: 0, randomWalkFm: 0, maxError: 1, maxErrorRate: 0, by: 'nothing' };",
    );
    expectRefusal(
      escapement(['run', scenario('nothing'), '--json', '--plugin', module]),
      /^escapement: pipeline 'p': 'nothing' gave an estimate that is not finite/,
    );
  });

  test('when it never answers', () => {
    const module = write(
      folder,
      'silent.js',
      `import { plugin, z } from 'escapement';
class Silent { predict() { return new Promise(() => {}); } }
plugin({ kind: 'predictor', name: 'silent', summary: 'Never answers', options: z.object({}) })(Silent);
`,
    );
    const file = write(folder, 'silent.yaml', SCENARIO.replace('corrector: CORRECTOR', 'predictor: silent'));
    expectRefusal(
      escapement(['run', file, '--json', '--plugin', module]),
      'the run waits for an answer that never comes: a plugin has left a promise open',
    );
  });
});

describe('exit codes', () => {
  test('0 where all expectations hold, 1 where one is broken, with the same document on standard output', () => {
    const limit = (value: string): string =>
      write(
        folder,
        `limit-${value}.yaml`,
        `${SCENARIO.replace('CORRECTOR', 'kalman')}expectations: [{ pipeline: p, metric: error.max, atMost: ${value} s }]\n`,
      );
    const held = escapement(['run', limit('10'), '--json']);
    expect([held.status, held.stderr]).toEqual([0, '']);
    const broken = escapement(['run', limit('1e-12'), '--json']);
    expect([broken.status, broken.stderr]).toEqual([1, '']);
    const [expected, found] = [held, broken].map(({ stdout }) => JSON.parse(stdout));
    expect(found.pipelines).toEqual(expected.pipelines);
    expect(found.expectations[0]).toMatchObject({ holds: false, metric: 'error.max' });
  });
});

describe('the folder of an earlier run', () => {
  const mine = { 'data.csv': 'a', 'notes.json': 'b', 'my.yaml': 'c', 'x.log': 'd', 'validation-q.csv': 'e' };
  const next = write(folder, 'next.yaml', SCENARIO.replace('name: p', 'name: q').replace('CORRECTOR', 'kalman'));
  const written = (pipeline: string): string[] => [
    ...[`estimates-${pipeline}.csv`, 'manifest.json', 'measurements.csv', 'samples-bare-clock.csv'],
    ...[`samples-${pipeline}.csv`, 'scenario.yaml', 'summary.json'],
  ];

  test.each([
    ['', (manifest: object) => manifest],
    [', of a version that did not list its pipelines', ({ pipelines: _, ...rest }: { pipelines?: unknown }) => rest],
    [', killed', (manifest: object) => ({ ...manifest, status: 'running' })],
  ])('is used again, and loses that run’s files and no others%s', (what, changed) => {
    const out = join(folder, `earlier-${what.length}`);
    expect(escapement(['run', good, '--json', '--report', '--out', out]).status).toBe(0);
    expect(Object.keys(filesIn(out))).toEqual([...written('p'), 'report.html'].sort());
    const manifest = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'));
    expect(manifest.pipelines).toEqual(['bare-clock', 'p']);
    write(out, 'manifest.json', JSON.stringify(changed(manifest)));
    for (const [name, text] of Object.entries(mine)) write(out, name, text);
    expect(escapement(['run', next, '--json', '--out', out])).toMatchObject({ status: 0, stderr: '' });
    const files = filesIn(out);
    expect(Object.keys(files)).toEqual([...written('q'), ...Object.keys(mine)].sort());
    expect(files).toMatchObject(mine);
  });

  test('a manifest does not name files elsewhere', () => {
    const out = join(folder, 'below');
    expect(escapement(['run', good, '--json', '--out', out]).status).toBe(0);
    const manifest = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'));
    write(out, 'manifest.json', JSON.stringify({ ...manifest, pipelines: ['/../../elsewhere', null, 3] }));
    write(folder, 'elsewhere.csv', 'mine');
    expect(escapement(['run', good, '--json', '--out', out])).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(join(folder, 'elsewhere.csv'), 'utf8')).toBe('mine');
  });
});
