import { createHash } from 'node:crypto';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Tensors } from '../../../src/core/contracts/index.js';
import { parseCard } from '../../../src/core/models/card.js';
import { goldenOf, openBare, openCard } from '../../../src/plugins/models/onnx.js';
import { changed, fixture } from '../../support/models.js';

// biome-ignore lint/suspicious/noExplicitAny: a card as it stands in its file, to be spoilt.
type Raw = any;

const golden = (name: string): Tensors => {
  const file = fixture(`${name}.json`);
  return goldenOf(parseCard(readFileSync(file, 'utf8'), file), file);
};

describe('a model and its card', () => {
  test.each(['chronos-bolt', 'chronos-2', 'timesfm-1', 'timesfm-2.5', 'ttm', 'n-hits', 'irregular'])(
    '%s: its layout is loaded, asked and compared with its golden pair',
    async name => {
      const open = await openCard(fixture(`${name}.json`));
      const answer = await open.run(golden(name));
      expect(Object.keys(answer!)).toEqual(open.card.outputs.map(output => output.name));
    },
  );

  const broken: readonly [string, (card: Raw) => void, RegExp][] = [
    [
      'it is another file',
      card => {
        card.sha256 = '0'.repeat(64);
      },
      /n-hits\.onnx: expected the SHA-256 of its card, 0{64}, found 585a/,
    ],
    [
      'an input has another name',
      card => {
        card.inputs[1].name = 'mask';
      },
      /inputs\[1\]\.name: the model has no 'mask': it has 'insample_y', 'insample_mask'/,
    ],
    [
      'an input has another type',
      card => {
        card.inputs[0].dtype = 'int64';
      },
      /inputs\[0\]\.dtype: the card says int64, the model float32/,
    ],
    [
      'an input has another length',
      card => {
        card.inputs[0].shape = [null, 64];
      },
      /inputs\[0\]\.shape: the card says \[any, 64\], the model \[b, 60\]/,
    ],
    [
      'an output has another length',
      card => {
        card.outputs[0].shape = [null, 13, 3];
      },
      /outputs\[0\]\.shape: the card says \[any, 13, 3\], the model \[b, 12, 3\]/,
    ],
    ['an input is not named', card => void card.inputs.pop(), /inputs: the model also wants 'insample_mask'/],
    [
      'the golden output is another',
      card => {
        card.golden.outputs.forecast.data[4] += 0.01;
      },
      /golden\.outputs\.forecast\[4\]: expected .* within [\d.e-]+, the model gave/,
    ],
    [
      'the golden input is missing',
      card => {
        delete card.golden.inputs.insample_y;
      },
      /golden\.inputs: expected 'insample_y' among them/,
    ],
    [
      'a shape has too few lengths',
      card => {
        card.inputs[0].shape = [60];
      },
      /inputs\[0\]\.shape: expected one length for each of the 2 axes of 'insample_y', found 1/,
    ],
    [
      'levels fall',
      card => {
        card.outputs[0].levels = [0.9, 0.5, 0.1];
      },
      /outputs\[0\]\.levels: expected them in rising order, found 0\.9,0\.5,0\.1/,
    ],
    [
      'a key is misspelt',
      card => {
        card.horizont = card.horizon;
      },
      /horizont: is not an option here \(did you mean 'horizon'\?\)/,
    ],
    [
      'nothing is shown',
      card => {
        for (const input of card.inputs) input.role = 'observed-mask';
      },
      /inputs: expected one with the role 'values', found none/,
    ],
    [
      'a level is missing',
      card => {
        card.outputs[0].levels = [0.1, 0.9];
      },
      /outputs\[0\]\.levels: expected 3, the length of the axis 'quantile', found 2/,
    ],
    [
      'the horizon is longer than the output',
      card => {
        card.horizon.steps = 13;
      },
      /horizon\.steps: expected at most 12, the length of the axis 'time', found 13/,
    ],
    [
      'too much is skipped',
      card => {
        card.outputs[0].skip = 1;
      },
      /horizon\.steps: expected at most 12, .* found 12 after 1 skipped/,
    ],
    [
      'all is skipped',
      card => {
        card.outputs[0].skip = 40;
      },
      /outputs\[0\]\.skip: expected at most 12, .* found 40/,
    ],
    [
      'axes are swapped',
      card => {
        card.outputs[0].layout = ['batch', 'quantile', 'time'];
      },
      /outputs\[0\]\.levels: expected 12, .* found 3/,
    ],
    [
      'an axis is named twice',
      card => {
        card.inputs[0].layout = ['time', 'time'];
      },
      /inputs\[0\]\.layout: expected each axis once, found 'time' twice/,
    ],
    [
      'a name is taken twice',
      card => {
        card.inputs[1].name = card.inputs[0].name;
      },
      /inputs\[1\]\.name: expected a name of its own, found 'insample_y' twice/,
    ],
    [
      'a fixed length is left open',
      card => {
        card.inputs[0].shape = [null, null];
      },
      /inputs\[0\]\.shape: the card says \[any, any\], the model \[b, 60\]/,
    ],
    [
      'an axis is chosen from that is not there',
      card => {
        card.outputs[0].select = { patch: 'last' };
      },
      /outputs\[0\]\.select: expected axes to choose from, .* found 'patch'/,
    ],
    [
      'values are run together otherwise',
      card => {
        card.outputs[0].reshape = [1, 12, 4];
      },
      /outputs\[0\]\.reshape: expected 36 values, as the shape has, found 48/,
    ],
    [
      'golden dims are others',
      card => {
        card.golden.outputs.forecast.dims = [1, 3, 12];
      },
      /golden\.outputs\.forecast\.dims: expected \[1, 12, 3\], as the model gave, found \[1, 3, 12\]/,
    ],
    [
      'a golden output is not finite',
      card => {
        card.golden.outputs.forecast.data[4] = null;
      },
      /golden\.outputs\.forecast\[4\]: golden output is not finite/,
    ],
    [
      'all levels lie on one side',
      card => {
        card.outputs[0].levels = [0.6, 0.7, 0.9];
      },
      /outputs\[0\]\.levels: expected 0\.5, a mean, or levels on both sides of 0\.5/,
    ],
    [
      'more is wanted than fits',
      card => {
        card.context = { min: 70, max: 80 };
      },
      /context\.min: expected at most 60, the length of 'insample_y', found 70/,
    ],
    [
      'an integer is padded with NaN',
      card => {
        card.inputs[0].dtype = 'int64';
        card.context.padValue = 'NaN';
      },
      /context\.padValue: expected a number, as 'insample_y' is int64, found NaN/,
    ],
    ...[
      ['sampling.period', '64 s', /sampling\.period: expected 'median' or a number of seconds, found '64 s'/],
      ['sampling.period', -1, /sampling\.period: expected more than 0, found -1/],
      ['outputs.0.levels.1', '0.1', /levels\[1\]: expected a number between 0 and 1, 'mean' or 'ignore', found '0\.1'/],
      ['outputs.0.levels.1', 2, /levels\[1\]: expected less than 1, found 2/],
      ['context.padValue', 'nan', /context\.padValue: expected a number or 'NaN', found 'nan'/],
      ['task', 'forecasting', /card\.json task: expected 'forecast' or 'correction', found 'forecasting'/],
      ['task', undefined, /card\.json task: expected 'forecast' or 'correction', found none/],
      ['task', 'correction', /card\.json task: expected 'forecast', as the card says 'sampling', found 'correction'/],
      ['context.max', 1e8, /context\.max: expected at most 100000, found 100000000/],
      ['context.multipleOf', 1e9, /context\.multipleOf: expected at most 100000, found 1000000000/],
      ['horizon.steps', 1e9, /horizon\.steps: expected at most 100000, found 1000000000/],
      ['horizon.firstStep', 1e9, /horizon\.firstStep: expected at most 1000, found 1000000000/],
      ['inputs.0.shape.1', 1e8, /inputs\[0\]\.shape: expected at most 4000000 numbers in an input, found 100000000/],
    ].map(([path, value, message]): [string, (card: Raw) => void, RegExp] => [
      `${path} is ${value}`,
      card => {
        const keys = String(path).split('.');
        const last = keys.pop()!;
        keys.reduce((at, key) => at[key], card)[last] = value;
      },
      message as RegExp,
    ]),
    [
      'the opset is another',
      card => {
        card.opset = 18;
      },
      /opset: the card says 18, the model 17/,
    ],
  ];
  test.each(broken)('are refused with what differs: %s', async (_what, spoil, message) => {
    await expect(openCard(changed('n-hits', spoil))).rejects.toThrow(message);
  });

  test('refuse an entry that an axis does not have, and a golden integer that is none', async () => {
    const chosen = changed('ttm', (card: Raw) => {
      card.outputs[0].select.channel = 1;
    });
    await expect(openCard(chosen)).rejects.toThrow(/outputs\[0\]\.select\.channel: expected less than 1, .* found 1/);
    const hole = changed('timesfm-1', (card: Raw) => {
      card.golden.inputs.freq.data[0] = null;
    });
    await expect(openCard(hole)).rejects.toThrow(/golden\.inputs\.freq\[0\]: expected a number, as it is int64/);
  });

  test('are refused in one line when a file is missing, cut off, no model, of another opset', async () => {
    await expect(openCard(fixture('nowhere.json'))).rejects.toThrow(/nowhere\.json: cannot be read: no such file/);
    await expect(
      openCard(
        changed('n-hits', card => {
          card.file = 'gone.onnx';
        }),
      ),
    ).rejects.toThrow(/gone\.onnx: cannot be read: no such file/);
    await expect(
      openCard(
        changed(
          'n-hits',
          () => {},
          bytes => bytes.subarray(0, 300),
        ),
      ),
    ).rejects.toThrow(/expected the SHA-256 of its card/);
    const cut = (bytes: Buffer) => bytes.subarray(0, 300);
    const hash = createHash('sha256')
      .update(cut(readFileSync(fixture('n-hits.onnx'))))
      .digest('hex');
    const error = await openCard(
      changed(
        'n-hits',
        card => {
          card.sha256 = hash;
        },
        cut,
      ),
    ).catch(error => error);
    expect(error.message).toMatch(/n-hits\.onnx: onnxruntime cannot load it: /);
    expect(error.message).not.toContain('\n');
    await expect(openCard(fixture('opset.json'))).rejects.toThrow(
      /opset\.onnx: onnxruntime cannot load it: .*Opset 99/,
    );
  });

  test('are refused when they are no regular files, which might never end', async () => {
    const message = /: cannot be read: expected a regular file, found a pipe, a socket or a device$/;
    await expect(openBare('/dev/zero')).rejects.toThrow(message);
    await expect(openCard('/dev/zero')).rejects.toThrow(message);
    await expect(openCard(changed('n-hits', card => void Object.assign(card, { file: '/dev/zero' })))).rejects.toThrow(
      message,
    );
  });

  test('are refused when weights in files beside the model are others, missing, or not in the card', async () => {
    expect((await openCard(changed('external', () => {}))).card.files).toHaveLength(1);
    const damaged = changed('external', () => {});
    const weights = join(dirname(damaged), 'external.onnx_data');
    // One bit of one weight, by which no answer moves by more than the tolerance.
    const bytes = readFileSync(weights);
    bytes[4]! ^= 1;
    writeFileSync(weights, bytes);
    await expect(openCard(damaged)).rejects.toThrow(/external\.onnx_data: expected the SHA-256 of its card, 1f44/);
    rmSync(weights);
    await expect(openCard(damaged)).rejects.toThrow(/external\.onnx_data: cannot be read: no such file/);
    const unlisted = changed('external', (card: Raw) => {
      delete card.files;
    });
    await expect(openCard(unlisted)).rejects.toThrow(
      /card\.json files: expected 'external\.onnx_data' among them, .*escapement model .*card\.json --fill lists them/,
    );
    const outside = changed('external', () => {});
    const model = join(dirname(outside), 'external.onnx');
    const named = readFileSync(model).toString('latin1').replace('external.onnx_data', '../ernal.onnx_data');
    writeFileSync(model, named, 'latin1');
    await expect(openBare(model)).rejects.toThrow(
      /external\.onnx: expected to find all its weights in its own folder, found that it names '\.\.\/ernal\.onnx_data'/,
    );
    const listed = changed('n-hits', (card: Raw) => {
      card.files = [{ name: 'more.bin', sha256: '0'.repeat(64) }];
    });
    await expect(openCard(listed)).rejects.toThrow(
      /files\[0\]\.name: the model keeps no weights in 'more\.bin': it names no file beside it/,
    );
  });

  test('a batch answers as one by one, bit for bit', async () => {
    const open = await openCard(fixture('irregular.json'), false);
    const asked = [0, 1, 2].map(k => {
      const { values, ...rest } = golden('irregular');
      return { ...rest, values: { dims: values!.dims, data: (values!.data as Float32Array).map(y => y * (k + 1)) } };
    });
    const together = await Promise.all(asked.map(inputs => open.run(inputs)));
    const alone: unknown[] = [];
    for (const inputs of asked) alone.push(await open.run(inputs));
    expect(together).toEqual(alone);
    expect(together[0]).not.toEqual(together[1]);
  });
});

describe('a model that takes long', () => {
  test('gets a worker: the thread that measures goes on, late answers are counted, old questions give way', async () => {
    const open = await openCard(fixture('slow.json'), undefined, { timeLimit: 0.02, queue: 1 });
    expect(open.where).toBe('in a worker');
    let ticks = 0;
    const ticking = setInterval(() => {
      ticks += 1;
    }, 5);
    const answers = await Promise.all(
      [0, 1, 2].map(async k => {
        // One after the other, while the first one runs.
        await new Promise(resolve => setTimeout(resolve, 5 * k));
        return open.run(golden('slow'));
      }),
    );
    clearInterval(ticking);
    expect(answers).toEqual([undefined, undefined, undefined]);
    expect(ticks).toBeGreaterThan(1);
    expect(open.counts).toMatchObject({ asked: 3, dropped: 1 });
    expect(open.counts.late).toBe(2);
  });

  test('that hangs is killed in the middle of its run and started again, as often as it takes', async () => {
    const open = await openCard(fixture('hangs.json'), true, { timeLimit: 0.05, queue: 1 });
    expect(open.where).toBe('in a worker');
    const quick = golden('hangs');
    const { insample_y: values, ...rest } = quick;
    const long = { ...rest, insample_y: { dims: values!.dims, data: new Float32Array(60).fill(1) } };
    for (let k = 0; k < 2; k++) {
      expect(await open.run(long)).toBeUndefined();
      // By itself this run would take many seconds.
      await expect.poll(() => open.run(quick), { timeout: 20_000, interval: 50 }).toBeDefined();
    }
    expect(open.counts.late).toBeGreaterThanOrEqual(2);
  });

  test('is asked one question at a time where its answers mix those that share a batch', async () => {
    const open = await openCard(fixture('mixing.json'), false);
    expect(open.where).toBe('inline, one question at a time: its answers differ where several share a batch');
    const { insample_y: values, ...rest } = golden('mixing');
    const asked = [1, 5].map(k => ({
      ...rest,
      insample_y: { dims: values!.dims, data: (values!.data as Float32Array).map(y => y + k) },
    }));
    const together = await Promise.all(asked.map(inputs => open.run(inputs)));
    const alone: unknown[] = [];
    for (const inputs of asked) alone.push(await open.run(inputs));
    expect(together).toEqual(alone);
  });

  test('small and fast ones run in this thread', async () => {
    expect((await openCard(fixture('irregular.json'))).where).toBe('inline');
  });
});
