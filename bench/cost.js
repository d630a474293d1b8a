// npm run bench:cost -- [--json]: what the default estimator costs once warm: CPU time a measurement (the estimator
// alone) and a question for the time (carrying an estimate ahead), for one server and for four.
import { EnsembleEstimator, offsetAfter, varianceAfter } from '../dist/bench.js';
import { parsed } from './options.js';

const { values } = parsed({ options: { json: { type: 'boolean' } } });
const ROUNDS = 4000;

/** Golden-ratio sequence: even over 0 to 1, the same every time. */
const even = i => (i * 0.6180339887498949) % 1;

function cost(servers) {
  const estimator = new EnsembleEstimator();
  let told;
  let used = 0;
  for (let part = 0; part < 2; part++) {
    const before = process.cpuUsage();
    for (let i = part * ROUNDS; i < (part + 1) * ROUNDS; i++) {
      for (let s = 0; s < servers; s++) {
        const there = -1e-3 * Math.log(1 - even(7 * i + s + 1));
        const back = -1e-3 * Math.log(1 - even(13 * i + 3 * s + 2));
        told = estimator.observe({
          source: `server-${s}`,
          at: 64 * i + 0.1 * s,
          offset: 1e-5 * (64 * i + 0.1 * s) + (there - back) / 2,
          delay: 0.02 + 0.005 * s + there + back,
          rootDelay: 0,
          rootDispersion: 0,
          precision: 1e-7,
          stratum: 1,
        });
      }
    }
    const { user, system } = process.cpuUsage(before);
    used = (user + system) / (ROUNDS * servers);
  }
  let sum = 0;
  const before = process.cpuUsage();
  for (let i = 0; i < 2e6; i++) sum += offsetAfter(told, i * 1e-3) + Math.sqrt(varianceAfter(told, i * 1e-3));
  const { user, system } = process.cpuUsage(before);
  if (!Number.isFinite(sum)) throw new Error('the time that was told is none');
  return { servers, measurement: used, query: (user + system) / 2e6 };
}

const rows = [1, 4].map(cost);
if (values.json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
else {
  console.log('µs of CPU          a measurement   a question');
  for (const { servers, measurement, query } of rows) {
    console.log(
      `${servers} server${servers > 1 ? 's' : ' '} ${measurement.toFixed(1).padStart(22)} ${query.toFixed(3).padStart(12)}`,
    );
  }
}
