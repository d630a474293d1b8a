// Writes records whose every field says which one it is, as fast as it can, until it is told to stop.
import { createJiti } from 'jiti';

const [path, milliseconds] = process.argv.slice(2);
const { SharedRecord } = await createJiti(import.meta.url).import('../../src/platform/shared-record.ts');
const record = SharedRecord.write(path);
const until = performance.now() + Number(milliseconds);
let n = 0;
process.stdout.write('writing\n');
while (performance.now() < until) {
  n += 1;
  record.write({
    ...{ known: true, counter: BigInt(n), time: BigInt(n), drift: n, uncertainty: n, level: n, uncertaintyRate: n },
    ...{ maxError: n, maxErrorRate: n, age: n, validFor: BigInt(n), by: String(n), pipeline: String(n) },
  });
}
process.stdout.write(`${n}\n`);
