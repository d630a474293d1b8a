import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

interface Attack {
  readonly port: string;
  readonly datagrams: number;
  readonly dropped: number;
  readonly answers: number;
  readonly forged: number;
  readonly failures: Readonly<Record<string, number>>;
}

// The short form of `npm run bench:fuzz`, which sends a million to each side and also weighs the memory.
test('hostile datagrams at clients and server: no crash, no forgery taken, no true answer lost', async () => {
  const seed = String(Date.now());
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...['bench/fuzz.js', '--datagrams', '9000', '--seed', seed, '--json'],
  ]);
  const attacks = JSON.parse(stdout) as readonly Attack[];
  expect(attacks.map(({ port }) => port)).toEqual([
    'client, plain',
    'client, key',
    'client, nts',
    'server, open',
    'server, limited',
  ]);
  for (const { port, datagrams, dropped, answers, forged, failures } of attacks) {
    expect({ port, forged, failures }, `seed ${seed}`).toEqual({ port, forged: 0, failures: {} });
    expect(datagrams).toBeGreaterThanOrEqual(3000);
    expect(answers).toBeGreaterThanOrEqual(30);
    expect(dropped).toBeGreaterThan(2000);
  }
});
