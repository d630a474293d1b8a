import { expect, test, vi } from 'vitest';
import { runText } from '../../support/run-scenario.js';

const SCENARIO = `
name: t
duration: 10 min
world: { clock: { use: oscillator }, servers: [{ name: a }] }
sources: { ntp: { use: ntp } }
pipelines:
  - { name: model, predictor: { use: fallback, order: [{ use: onnx, card: ./nowhere.json }, kalman] } }
  - { name: plain, predictor: kalman }
sinks: [table]
`;

/** What a run writes on standard output. */
async function printed(scenario: string): Promise<string> {
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    written.push(String(text));
    return true;
  });
  try {
    await runText(scenario);
  } finally {
    spy.mockRestore();
  }
  return written.join('');
}

test('says below the figures what has become of questions to a model', async () => {
  const text = SCENARIO.replace('./nowhere.json', 'linear').replace('10 min', '2 h');
  expect(await printed(text)).toMatch(
    /^pipelines\/model\/predictor\/0-onnx: model 'linear', \d+ questions, 0 answers late, 0 dropped$/m,
  );
});

test('says below the figures which pipeline had to do without its model, and why', async () => {
  const lines = (await printed(SCENARIO)).trim().split('\n');
  expect(lines.at(-1)).toMatch(/^pipelines\/model\/predictor: onnx cannot be loaded: .*nowhere\.json: cannot be read/);
  expect(lines.filter(line => line.startsWith('pipelines/'))).toHaveLength(1);
});
