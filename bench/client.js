// npm run bench:client: what it costs a program to know the time through shared memory: CPU time a call, beside a bare
// read of a clock.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SharedRecord } from '../dist/bench.js';
import { EscapementClient } from '../dist/client.js';
import { parsed } from './options.js';

parsed();

const CALLS = 300_000;
const folder = mkdtempSync(join(tmpdir(), 'escapement-bench-'));
const path = join(folder, 'record');
const record = SharedRecord.write(path);
const write = () =>
  record.write({
    ...{ known: true, counter: process.hrtime.bigint(), time: BigInt(Date.now()) * 1_000_000n, drift: 12e-6 },
    ...{ uncertainty: 1e-4, level: 0.95, uncertaintyRate: 1e-6, maxError: 0.01, maxErrorRate: 15e-6, age: 1 },
    ...{ validFor: 1_000_000_000_000n, by: 'bench', pipeline: 'bench' },
  });
write();
const client = EscapementClient.shared({ path });

/** µs of CPU time a call, the best of five runs. */
function cost(call) {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 5; run++) {
    const before = process.cpuUsage();
    for (let i = 0; i < CALLS; i++) call();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / CALLS);
  }
  return least;
}

const bare = cost(() => process.hrtime.bigint());
const now = cost(() => client.now());
const written = cost(write);
console.log(`process.hrtime.bigint()  ${bare.toFixed(2)} µs`);
console.log(
  `client.now()             ${now.toFixed(2)} µs, with bounds (${(now / bare).toFixed(1)} times a bare read)`,
);
console.log(`writing a record         ${written.toFixed(2)} µs`);
client.close();
record.close();
rmSync(folder, { recursive: true });
