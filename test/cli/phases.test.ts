import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'inversify';
import { type Observable, timer } from 'rxjs';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { type Predictor, World } from '../../src/core/contracts/index.js';
import { plugin } from '../../src/core/plugin/registry.js';
import { runInto, temporaryFolder } from '../support/replay.js';

const folder = temporaryFolder();

/** Ten minutes until it is loaded, as a large model takes that tries the network first. */
@plugin({ kind: 'predictor', name: 'slow-model', summary: 'for this test', options: z.strictObject({}) })
class SlowModel implements Predictor {
  constructor(@inject(World) private readonly world: World) {}

  load(): Observable<unknown> {
    return timer(600_000, this.world.scheduler);
  }

  predict(): undefined {
    return undefined;
  }
}

test('every phase stands in the manifest and among the events, from the first moment on', async () => {
  expect(SlowModel.name).toBe('SlowModel');
  const out = join(folder, 'run');
  const summary = await runInto(
    out,
    `
name: phases
duration: 20 min
world: { clock: { use: oscillator, frequencyError: 0 }, servers: [{ name: a }] }
pipelines:
  - { name: quick, predictor: linear-regression, corrector: none, phases: { warmUp: 180 s } }
  - { name: slow, predictor: slow-model, corrector: none, phases: { warmUp: 180 s } }
`,
  );
  const { phases } = JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'));
  expect(phases).toEqual({
    'pipelines/quick': { 'warm-up': 0, running: expect.closeTo(180, 6) },
    'pipelines/slow': { 'loading-model': 0, 'warm-up': expect.closeTo(600, 6), running: expect.closeTo(780, 6) },
  });
  const events = readFileSync(join(out, 'events.csv'), 'utf8');
  expect(events).toMatch(/^0,pipelines\/slow,phase loading-model$/m);
  // Measuring did not wait: both are told from measurements from the start.
  for (const name of ['quick', 'slow']) {
    const [, , , third] = readFileSync(join(out, `estimates-${name}.csv`), 'utf8').split('\n');
    expect(third).toMatch(/^4\.\d+,.*,last-value,/);
  }
  expect(summary.exchanges.answered).toBe(22);
});
