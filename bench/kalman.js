// npm run bench:kalman -- [DIR] [--pipeline NAME] [--json]: is the Kalman pipeline competent? Beside it, on every recording
// with one server, a two-state filter with constant R whose R and process noise were tuned on that very recording, against
// its truth: what somebody who knew the answer would set.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { namedPipelines, openTrace, parseScenario, runScenario } from '../dist/bench.js';
import { parsed } from './options.js';

const { values, positionals } = parsed({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, pipeline: { type: 'string', default: 'kalman-drift' } },
});
const folder = positionals[0] ?? fileURLToPath(new URL('../../shared/peer', import.meta.url));
if (!existsSync(folder)) {
  console.error(`bench:kalman: ${folder}: no such folder; give the folder of the recordings`);
  process.exit(2);
}

/** A clock that moves by more than this from second to second was stepped, seconds. */
const STEP = 0.01;

/** RMS error on the truth's grid of a filter with process noise q (random-walk FM) and measurement noise r. */
function filtered(exchanges, truth, warmup, q, r) {
  let [x, y, p00, p01, p11] = [exchanges[0].offset, 0, r, 0, 1e-8];
  let at = exchanges[0].at;
  let next = 1;
  let sum = 0;
  let count = 0;
  let stepped = false;
  for (let i = 0; i < truth.t.length; i++) {
    const t = truth.t[i];
    if (i > 0 && Math.abs(truth.counter[i] - truth.counter[i - 1]) > STEP) stepped = true;
    while (next < exchanges.length && exchanges[next].known < t) {
      const { at: now, offset } = exchanges[next++];
      const dt = now - at;
      at = now;
      x += y * dt;
      p00 += 2 * dt * p01 + dt * dt * p11 + (q * dt ** 3) / 3;
      p01 += dt * p11 + (q * dt * dt) / 2;
      p11 += q * dt;
      const innovation = offset - x;
      // Somebody who knew the answer would have told it of a step.
      if (stepped) p00 += 1;
      stepped = false;
      const s = p00 + r;
      const [k0, k1] = [p00 / s, p01 / s];
      x += k0 * innovation;
      y += k1 * innovation;
      p11 -= k1 * p01;
      p01 -= k0 * p01;
      p00 -= k0 * p00;
    }
    if (t < warmup || exchanges[0].known >= t) continue;
    const error = x + y * (t + truth.counter[i] - at) + truth.counter[i];
    sum += error * error;
    count += 1;
  }
  return Math.sqrt(sum / count);
}

const [entry] = await namedPipelines([values.pipeline]);
const recordings = [];
for (const name of readdirSync(folder).sort()) {
  const about = join(folder, name, 'scenario.json');
  if (!existsSync(about) || JSON.parse(readFileSync(about, 'utf8')).servers.length > 1) continue;
  const { file, truthFile, recording, truth, warmup = 0 } = await openTrace({ trace: join(folder, name) });
  const exchanges = recording.events.map(({ event: { exchange }, trueTime }) => ({
    known: trueTime,
    at: exchange.arrived.counter,
    offset: (exchange.receive - exchange.sent.counter + exchange.transmit - exchange.arrived.counter) / 2,
  }));
  let tuned = Number.POSITIVE_INFINITY;
  for (let q = -22; q <= -13; q += 0.5) {
    for (let r = -11; r <= -3; r += 0.5) {
      tuned = Math.min(tuned, filtered(exchanges, truth, warmup, 10 ** q, 10 ** r));
    }
  }
  const world = { kind: 'replayed', trace: file, truth: truthFile };
  const text = JSON.stringify({ name, warmup, world, pipelines: [{ ...entry, name: 'ours' }] });
  const { scenario } = await parseScenario(text, name);
  const { pipelines } = await runScenario({ scenario, file: name, recording, truth });
  const ours = pipelines.find(one => one.name === 'ours').error.rms;
  recordings.push({ name, ours, tuned, ratio: ours / tuned });
}
const geometricMean = Math.exp(recordings.reduce((sum, { ratio }) => sum + Math.log(ratio), 0) / recordings.length);
if (values.json) process.stdout.write(`${JSON.stringify({ recordings, geometricMean }, null, 2)}\n`);
else {
  console.log(`µs RMS after warm-up       ${values.pipeline.padStart(14)}   tuned   ratio`);
  for (const { name, ours, tuned, ratio } of recordings) {
    console.log(
      `${name.padEnd(26)} ${(ours * 1e6).toFixed(1).padStart(14)} ${(tuned * 1e6).toFixed(1).padStart(9)} ${ratio.toFixed(3)}`,
    );
  }
  console.log(`geometric mean ${geometricMean.toFixed(3)}`);
}
