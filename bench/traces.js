// npm run bench:traces -- [DIR] [--pipeline NAME] [--json]: the offset recordings of DIR (../shared/traces), on the same
// NTP points for everybody, all causal: ChronoTick's own column, the bare clock, the last value (held), a line through
// the last ten (reg10), their median (med10), and every shipped pipeline. The pipeline under test (`experts`) is then
// judged: nowhere worse than ChronoTick beyond the interval of a paired block bootstrap, a lower sum of mean errors, and
// not far from the best of the three simple methods. Exits with 1 where that does not hold.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { compareSeries, formatTime, namedPipelines, openTrace, parseScenario, runScenario } from '../dist/bench.js';
import { parsed } from './options.js';

const { values, positionals } = parsed({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, pipeline: { type: 'string', default: 'experts' } },
});
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = positionals[0] ?? join(root, '..', 'shared', 'traces');
if (!existsSync(folder)) {
  console.error(`bench:traces: ${folder}: no such folder; give the folder of the recordings`);
  process.exit(2);
}

/** Points that nobody is scored on; of a short recording a quarter. Ten are what the simple methods look back on. */
const SKIPPED = 10;
/** Measurements this close together are one round: nobody knows one before the other, seconds. */
const ROUND = 1;
/** With fewer points than this a recording is reported, not judged. */
const FEW = 20;
/** Limits on the ratio to the best of the simple methods. */
const MEDIAN_RATIO = 1.05;
const WORST_RATIO = 1.2;

const median = numbers => {
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};
const mean = numbers => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const mae = errors => mean(errors.map(Math.abs));

/** The simple methods, from the points before: not one of our own parts. */
const SIMPLE = {
  held: past => past.at(-1).offset,
  reg10: (past, t) => {
    const points = past.slice(-10);
    const [meanT, meanOffset] = [mean(points.map(p => p.t)), mean(points.map(p => p.offset))];
    const spread = points.reduce((sum, p) => sum + (p.t - meanT) ** 2, 0);
    if (spread === 0) return meanOffset;
    return (
      meanOffset + (points.reduce((sum, p) => sum + (p.t - meanT) * (p.offset - meanOffset), 0) / spread) * (t - meanT)
    );
  },
  med10: past => median(past.slice(-10).map(p => p.offset)),
};

/**
 * One deviation of the reference itself: from second differences, in which a clock's offset and drift cancel,
 * 1.4826·median |θ₁ − 2θ₂ + θ₃|/√6, of points that are not in one round.
 */
function noiseOf(points) {
  const apart = points.filter((p, i) => i === 0 || p.t - points[i - 1].t > ROUND);
  const second = apart.slice(2).map((p, i) => Math.abs(p.offset - 2 * apart[i + 1].offset + apart[i].offset));
  return (1.4826 * median(second)) / Math.sqrt(6);
}

const shipped = readdirSync(join(root, 'scenarios', 'pipelines'))
  .filter(name => name.endsWith('.yaml'))
  .map(name => name.slice(0, -'.yaml'.length))
  .sort();
const pipelines = await namedPipelines(shipped);

async function judged(name) {
  const file = join(folder, name);
  const { recording } = await openTrace({ trace: file });
  const text = stringify({ name: 'trace', warmup: 0, world: { kind: 'replayed', trace: file }, pipelines });
  const loaded = await parseScenario(text, file);
  const samples = [];
  await runScenario({ ...loaded, recording, sinks: [{ scored: sample => samples.push(sample) }] });
  const of = pipeline => samples.filter(sample => sample.pipeline === pipeline);
  // The bare clock is told as it is: its error is what was measured, the other way round.
  const points = of('bare-clock').map(({ t, error }) => ({ t, offset: -error }));
  const skipped = Math.min(SKIPPED, Math.floor(points.length / 4));
  const errors = Object.fromEntries(
    [...new Set(samples.map(({ pipeline }) => pipeline))].map(one => [
      one,
      of(one)
        .slice(skipped)
        .map(({ error }) => error),
    ]),
  );
  for (const [method, forecast] of Object.entries(SIMPLE)) {
    errors[method] = points.slice(skipped).map(point => {
      const past = points.filter(({ t }) => t < point.t - ROUND);
      return forecast(past, point.t) - point.offset;
    });
  }
  const bareError = errors['bare-clock'];
  const series = Object.entries(errors).map(([pipeline, error]) => ({ pipeline, run: name, error, bareError }));
  const compared = compareSeries(series, errors.chronotick === undefined ? undefined : 'chronotick', 0.95);
  const best = Math.min(...Object.keys(SIMPLE).map(method => mae(errors[method])));
  const ours = compared.find(one => one.name === values.pipeline);
  return {
    name: name.replace(/_?\d{8}\.csv$/, ''),
    points: points.length,
    scored: bareError.length,
    noise: noiseOf(points),
    mae: Object.fromEntries(Object.entries(errors).map(([method, own]) => [method, mae(own)])),
    ratio: mae(errors[values.pipeline]) / best,
    ...(ours.baseline && { difference: ours.baseline.difference, interval: ours.baseline.interval?.difference }),
  };
}

if (!shipped.includes(values.pipeline)) {
  console.error(`bench:traces: --pipeline: unknown pipeline '${values.pipeline}' (known: ${shipped.join(', ')})`);
  process.exit(2);
}
const recordings = [];
for (const name of readdirSync(folder).sort()) {
  const file = join(folder, name);
  if (!name.endsWith('.csv') || (await openTrace({ trace: file })).format !== 'offset-series') continue;
  recordings.push(await judged(name));
}
const counted = recordings.filter(({ points }) => points >= FEW);
const compared = counted.filter(({ mae: own }) => own.chronotick !== undefined);
const sum = method => compared.reduce((total, one) => total + one.mae[method], 0);
const ratios = counted.map(({ ratio }) => ratio);
const verdicts = [
  {
    what: 'nowhere worse than ChronoTick beyond the interval',
    found: compared
      .filter(({ difference, interval }) => difference > 0 && !(interval && interval.low <= 0))
      .map(({ name }) => name),
    holds: compared.every(
      ({ difference, interval }) => difference <= 0 || (interval !== undefined && interval.low <= 0),
    ),
  },
  {
    what: `sum of mean errors ${formatTime(sum(values.pipeline))}, ChronoTick's ${formatTime(sum('chronotick'))}`,
    holds: sum(values.pipeline) < sum('chronotick'),
  },
  {
    what: `median ratio to the best simple method ${median(ratios).toFixed(3)}, at most ${MEDIAN_RATIO}`,
    holds: median(ratios) <= MEDIAN_RATIO,
  },
  {
    what: `largest ratio ${Math.max(...ratios).toFixed(3)}, at most ${WORST_RATIO}`,
    holds: Math.max(...ratios) <= WORST_RATIO,
  },
];
if (values.json) {
  process.stdout.write(`${JSON.stringify({ pipeline: values.pipeline, recordings, verdicts }, null, 2)}\n`);
} else {
  const methods = ['chronotick', 'bare-clock', ...Object.keys(SIMPLE), ...shipped];
  const row = cells => console.log(`| ${cells.join(' | ')} |`);
  row(['mean \\|error\\| against NTP', ...recordings.map(({ name }) => name)]);
  console.log(`|---|${'---:|'.repeat(recordings.length)}`);
  for (const method of methods) {
    row([method, ...recordings.map(({ mae: own }) => (own[method] === undefined ? '–' : formatTime(own[method])))]);
  }
  row([`**${values.pipeline} / best of held, reg10, med10**`, ...recordings.map(({ ratio }) => ratio.toFixed(3))]);
  const range = ({ low, high }) => `${formatTime(low, true)} … ${formatTime(high, true)}`;
  row([
    `${values.pipeline} − chronotick, 95 %`,
    ...recordings.map(({ interval }) => (interval === undefined ? '–' : range(interval))),
  ]);
  row(['the reference’s own noise, 1 σ', ...recordings.map(({ noise }) => formatTime(noise))]);
  row(['points, of which scored', ...recordings.map(({ points, scored }) => `${points}, ${scored}`)]);
  console.log('');
  for (const { what, holds } of verdicts) console.log(`${holds ? 'holds ' : 'BROKEN'}  ${what}`);
  const few = recordings.filter(({ points }) => points < FEW).map(({ name }) => name);
  if (few.length > 0) console.log(`reported only, fewer than ${FEW} points: ${few.join(', ')}`);
}
if (verdicts.some(({ holds }) => !holds)) process.exitCode = 1;
