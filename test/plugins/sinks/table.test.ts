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

test('says below the figures which pipeline had to do without its model, and why', async () => {
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    written.push(String(text));
    return true;
  });
  try {
    await runText(SCENARIO);
  } finally {
    spy.mockRestore();
  }
  const lines = written.join('').trim().split('\n');
  expect(lines.at(-1)).toMatch(/^pipelines\/model\/predictor: onnx cannot be loaded: .*nowhere\.json: cannot be read/);
  expect(lines.filter(line => line.startsWith('pipelines/'))).toHaveLength(1);
});
