import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openScenario } from '../../src/cli/scenario-files.js';
import type { EventRecord, Sink } from '../../src/core/contracts/index.js';
import { runScenario } from '../../src/core/experiment/run.js';

const folder = fileURLToPath(new URL('../../scenarios/chrony-suite/', import.meta.url));
const names = readdirSync(folder).filter(name => name.endsWith('.yaml') && name !== 'pipeline.yaml');

async function run(name: string, sinks: readonly Sink[] = []) {
  const loaded = await openScenario(`${folder}${name}`);
  return runScenario({ ...loaded, sinks });
}

test.each(names)('the pipeline under test holds every limit of %s', async name => {
  const { expectations } = await run(name);
  expect(expectations.length).toBeGreaterThan(0);
  expect(expectations.filter(({ holds }) => !holds)).toEqual([]);
});

test('the suite has all of chrony’s situations', () => {
  expect(names.length).toBeGreaterThanOrEqual(25);
});

test.each(['selection-3.yaml', 'selection-4.yaml'])('in %s it reports that there is no majority', async name => {
  const events: EventRecord[] = [];
  await run(name, [{ event: event => void events.push(event) }]);
  expect(events.some(({ what }) => what.startsWith('no majority'))).toBe(true);
});

test('a client that is told to slow down does', async () => {
  const { exchanges } = await run('rate-limit.yaml');
  // 8 s for 10,000 s would be 1250 questions; at the agreed 64 s it is 157.
  expect(exchanges.answered + exchanges.failed).toBeLessThan(200);
});
