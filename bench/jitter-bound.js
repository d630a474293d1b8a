// node bench/jitter-bound.js [--seeds N]: how well the frequency can be known at all in chrony's `jitter` scenario.
//
// With equal exponential queues and a known base an exchange says that the offset lies within ±e/2 of what was measured,
// e the delay beyond the base, and nothing more; the clock's own wander is nothing beside that. So the exact posterior of
// the frequency, for somebody who is told all of this and that frequencies are N(0, 100 ppm) before the first exchange, is
// prior(y) × the length of the interval of offsets that all exchanges allow. Its mean has the least RMS error there is.
import { fileURLToPath } from 'node:url';
import { openScenario, runScenario } from '../dist/bench.js';
import { count, parsed } from './options.js';

const { values } = parsed({ options: { seeds: { type: 'string', default: '20' } } });
const seeds = count('--seeds', values.seeds);
const BASE = 200e-6;
const TRUE = -1e-4;
const PRIOR = 1e-4;
const STEP = 5e-7;
const DRIFTS = Array.from({ length: 2401 }, (_, i) => (i - 1200) * STEP);

/** Mean of the posterior of the drift after these measurements. */
function posteriorMean(measurements) {
  let total = 0;
  let sum = 0;
  for (const drift of DRIFTS) {
    let low = Number.NEGATIVE_INFINITY;
    let high = Number.POSITIVE_INFINITY;
    for (const { at, offset, delay } of measurements) {
      const half = Math.max(0, delay - BASE) / 2;
      const start = offset - drift * at.counter;
      low = Math.max(low, start - half);
      high = Math.min(high, start + half);
    }
    const weight = Math.max(0, high - low) * Math.exp(-0.5 * (drift / PRIOR) ** 2);
    total += weight;
    sum += weight * drift;
  }
  return total > 0 ? sum / total : Number.NaN;
}

const place = fileURLToPath(new URL('../scenarios/chrony-suite/jitter.yaml', import.meta.url));
const { scenario, file } = await openScenario(place);
const found = [];
for (let seed = 1; seed <= seeds; seed++) {
  const heard = [];
  const means = [];
  const round = ({ t, measurements }) => {
    heard.push(...measurements);
    if (measurements.length > 0) means.push([t, posteriorMean(heard)]);
  };
  const { expectations } = await runScenario({
    scenario: { ...scenario, seed: String(seed) },
    file,
    sinks: [{ round }],
  });
  let square = 0;
  let late = 0;
  means.forEach(([t, mean], i) => {
    const until = means[i + 1]?.[0] ?? scenario.duration;
    square += (mean - TRUE) ** 2 * Math.max(0, until - Math.max(t, scenario.warmup));
    late += (mean - TRUE) ** 2 * Math.max(0, until - Math.max(t, 3000));
  });
  found.push({
    possible: Math.sqrt(square / (scenario.duration - scenario.warmup)),
    possibleLate: Math.sqrt(late / (scenario.duration - 3000)),
    ours: expectations.find(({ metric }) => metric === 'frequency.rms').found,
  });
}
const median = of =>
  found
    .map(of)
    .sort((a, b) => a - b)
    [found.length >> 1].toExponential(1);
console.log(`frequency error, RMS from 210 s on, median of ${seeds} seeds: ${median(one => one.ours)}`);
console.log(`by somebody who is told the law of the queues and the base: ${median(one => one.possible)}`);
console.log(`the same from 3000 s on: ${median(one => one.possibleLate)}`);
console.log(`seeds at which 1e-5 is possible from 210 s on: ${found.filter(one => one.possible <= 1e-5).length}`);
