// npm run bench:learned -- [--clocks N] [--seed S] [--family NAME] [--peer DIR] [--no-peer] [--ungated] [--json | --markdown]: the learned
// pipeline beside the default one and the simple ones, on clocks that no model has seen, on the recordings of chronyd's
// clocks where they are at hand, and on other realisations of their situations (like-…). Every figure is a ratio to the
// default estimator's on the same clock: the geometric mean over the clocks of a family, with the interval that 95 % of
// 2000 bootstrap samples of clocks lie in.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  CONTAMINATIONS,
  DRAWN,
  draw,
  namedPipelines,
  openTrace,
  parseScenario,
  randomStream,
  runScenario,
  timeWith,
} from '../dist/bench.js';
import { FAMILIES as SITUATIONS } from './families.js';
import { count, parsed } from './options.js';

const { values } = parsed({
  options: {
    clocks: { type: 'string', default: '24' },
    seed: { type: 'string', default: 'held-out' },
    family: { type: 'string', multiple: true },
    peer: { type: 'string' },
    'no-peer': { type: 'boolean' },
    ungated: { type: 'boolean' },
    json: { type: 'boolean' },
    markdown: { type: 'boolean' },
  },
});
const each = count('--clocks', values.clocks, 2);
/** The recordings' situations in which the learned pipeline has the word: one server. */
const LIKE = Object.fromEntries(
  Object.entries(SITUATIONS)
    .filter(([, { scenario }]) => scenario.world.servers.length === 1)
    .map(([name, situation]) => [`like-${name}`, situation]),
);
const FAMILIES = [...DRAWN, ...CONTAMINATIONS, ...Object.keys(LIKE)];
const unknown = (values.family ?? []).find(name => !FAMILIES.includes(name) && name !== 'peer');
if (unknown !== undefined) {
  console.error(`bench:learned: --family: no family '${unknown}'; there are ${FAMILIES.join(', ')}, peer`);
  process.exit(2);
}

const PIPELINES = [
  'last-value',
  'regression',
  'kalman-drift',
  'default',
  'learned',
  ...(values.ungated ? ['ungated'] : []),
];
const shipped = await namedPipelines(PIPELINES.filter(name => !['last-value', 'ungated'].includes(name)));
const lastValue = {
  name: 'last-value',
  combiner: 'best',
  predictor: 'last-value',
  corrector: 'none',
  timekeeper: 'hold',
};
const ungated = { name: 'ungated', predictor: { use: 'learned', gate: false }, corrector: 'none', timekeeper: 'drift' };
const entries = [lastValue, ...shipped, ...(values.ungated ? [ungated] : [])];

/** Quantiles that are scored: those of the intervals at 50, 80 and 95 %, and the median. */
const LEVELS = [0.5, 0.8, 0.95];

/** Errors of one pipeline on one clock. */
class Score {
  n = 0;
  sum = 0;
  square = 0;
  sizes = [];
  pinball = 0;
  inside = LEVELS.map(() => 0);
  /** Shares of the truth below each quantile: 2.5, 10, 25, 50, 75, 90 and 97.5 %. */
  below = Array(7).fill(0);
  afterStep = 0;
  afterSteps = 0;

  add(error, halves, stepped) {
    const size = Math.abs(error);
    this.n += 1;
    this.sum += size;
    this.square += error * error;
    this.sizes.push(size);
    if (stepped) {
      this.afterStep += error * error;
      this.afterSteps += 1;
    }
    if (halves === undefined) return;
    // Truth less what was told is −error; the quantile at p is the middle plus or minus a half-width.
    const truth = -error;
    const [h50, h80, h95] = halves;
    const quantiles = [-h95, -h80, -h50, 0, h50, h80, h95];
    [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975].forEach((p, i) => {
      const off = truth - quantiles[i];
      this.pinball += Math.max(p * off, (p - 1) * off);
      if (truth < quantiles[i]) this.below[i] += 1;
    });
    halves.forEach((half, i) => {
      if (size <= half) this.inside[i] += 1;
    });
  }

  get figures() {
    const { n } = this;
    const sorted = Float64Array.from(this.sizes).sort();
    return {
      mae: this.sum / n,
      rms: Math.sqrt(this.square / n),
      p99: sorted[Math.max(0, Math.ceil(0.99 * n) - 1)],
      pinball: this.pinball / n,
      coverage: this.inside.map(k => k / n),
      below: this.below.map(k => k / n),
      ...(this.afterSteps > 0 && { afterSteps: Math.sqrt(this.afterStep / this.afterSteps) }),
    };
  }
}

/** Runs one scenario with all pipelines, and gives each one's figures and what the learned one made of it. */
async function play({ text, name, steps = [], span = 0, inputs = {}, interval }) {
  const { scenario } = await parseScenario(text, name);
  const scores = Object.fromEntries(PIPELINES.map(pipeline => [pipeline, new Score()]));
  let learned = 0;
  const sink = {
    interval,
    sample({ t, pipeline, told, error, estimate, reading }) {
      const score = scores[pipeline];
      if (score === undefined || error === undefined || t < scenario.warmup) return;
      if (pipeline === 'learned' && told.by === 'learned') learned += 1;
      const halves =
        estimate && LEVELS.map(level => timeWith(estimate, reading, told.axis, told.offset, level).uncertainty);
      score.add(
        error,
        halves,
        steps.some(at => t >= at && t < at + span),
      );
    },
  };
  await runScenario({ scenario, file: name, sinks: [sink], ...inputs });
  const figures = Object.fromEntries(Object.entries(scores).map(([pipeline, score]) => [pipeline, score.figures]));
  return { figures, share: learned / scores.learned.n };
}

const EIGHT_HOURS = 8 * 3600;

/** One held-out clock of a family. */
function simulated(family, index) {
  const contaminated = DRAWN.includes(family) ? undefined : family;
  const base = contaminated === undefined ? family : DRAWN[index % DRAWN.length];
  const one = draw(base, randomStream(values.seed, `${family}/${index}`), {
    polls: [16, 4096],
    turns: [120, 400],
    atLeast: EIGHT_HOURS,
    servers: 4,
    randomised: contaminated === undefined ? 0 : 1,
    ...(contaminated && { contaminated }),
  });
  const interval = one.poll / 3.7;
  const text = JSON.stringify({
    ...one.scenario,
    name: family,
    seed: `${values.seed}/${family}/${index}`,
    warmup: 16 * one.poll,
    sampling: { interval },
    pipelines: entries.map(entry => ({ ...entry, axis: one.axis })),
  });
  const steps = one.scenario.world.faults.filter(({ use }) => /^(clock|frequency)-step$/.test(use)).map(({ at }) => at);
  return play({ text, name: family, steps, span: 20 * one.poll, interval }).then(result => ({ ...result, ...one }));
}

/** One more clock in a recording's situation. */
function alike(family, index) {
  const { scenario, axis = 'counter', symmetric } = LIKE[family];
  const interval = 17.3;
  const text = JSON.stringify({
    ...scenario,
    name: family,
    seed: `${values.seed}/${family}/${index}`,
    sampling: { interval },
    pipelines: entries.map(entry => ({ ...entry, axis })),
  });
  // Every step of these comes after three hours.
  const steps = scenario.world.faults.filter(({ use }) => /^(clock|frequency)-step$/.test(use)).map(() => 3 * 3600);
  return play({ text, name: family, steps, span: 20 * 64, interval }).then(result => ({ ...result, symmetric }));
}

const geometric = numbers => Math.exp(numbers.reduce((sum, x) => sum + Math.log(x), 0) / numbers.length);
const mean = numbers => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;

/** The geometric mean of ratios, with a 95 % bootstrap interval over clocks. */
function ratioOf(ratios, stream) {
  if (ratios.length === 0) return undefined;
  const draws = Array.from({ length: 2000 }, () =>
    geometric(ratios.map(() => ratios[Math.floor(stream.uniform() * ratios.length)])),
  ).sort((a, b) => a - b);
  return { ratio: geometric(ratios), low: draws[50], high: draws[1949] };
}

/** The mean of one share a clock, and its standard error: what these clocks can tell of the family. */
function shareOf(shares) {
  const share = mean(shares);
  const variance = shares.reduce((sum, one) => sum + (one - share) ** 2, 0) / Math.max(1, shares.length - 1);
  return { share, error: Math.sqrt(variance / shares.length) };
}

/** Between which ratios eight in ten single clocks lie: what a clock or two say of a family. */
function spreadOf(ratios) {
  const sorted = Float64Array.from(ratios).sort();
  const at = share => sorted[Math.round(share * (sorted.length - 1))];
  return { low: at(0.1), high: at(0.9) };
}

/** 95 % of bootstrap samples of `n` clocks, of what `of(indices)` makes of them. */
function bootstrap(n, of, stream) {
  const everyone = Array.from({ length: n }, (_, i) => i);
  const draws = Array.from({ length: 2000 }, () => of(everyone.map(() => Math.floor(stream.uniform() * n)))).sort(
    (a, b) => a - b,
  );
  return { ratio: of(everyone), low: draws[50], high: draws[1949] };
}

/** The ratio of two means over the same clocks (how often intervals hold may be 0 on one, so that it has no logarithm). */
function meansRatio(own, other, stream) {
  return bootstrap(own.length, some => mean(some.map(i => own[i])) / mean(some.map(i => other[i])), stream);
}

const BELOW = [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975];

/** How far a histogram of the probability integral transform is from the even one: the share that lies in wrong bins. */
function unevenness(belows) {
  const shares = BELOW.map((_, i) => mean(belows.map(below => below[i])));
  const bins = values => [...values, 1].map((value, i) => value - (values[i - 1] ?? 0));
  const [found, due] = [bins(shares), bins(BELOW)];
  return found.reduce((sum, share, i) => sum + Math.abs(share - due[i]), 0) / 2;
}

function pitRatio(own, other, stream) {
  const of = (belows, some) => unevenness(some.map(i => belows[i]));
  return {
    uneven: unevenness(own),
    ...bootstrap(own.length, some => of(own, some) / Math.max(of(other, some), 1e-6), stream),
  };
}

function summary(family, clocks) {
  const pipelines = {};
  const ofDefault = clocks.map(({ figures }) => figures.default);
  for (const pipeline of PIPELINES) {
    const stream = randomStream('bootstrap', `${family}/${pipeline}`);
    const own = clocks.map(({ figures }) => figures[pipeline]);
    const ratios = key =>
      ratioOf(
        clocks
          .map(({ figures }) => figures[pipeline][key] / figures.default[key])
          .filter(ratio => Number.isFinite(ratio) && ratio > 0),
        stream,
      );
    pipelines[pipeline] = {
      mae: ratios('mae'),
      rms: ratios('rms'),
      p99: ratios('p99'),
      pinball: ratios('pinball'),
      afterSteps: ratios('afterSteps'),
      spread: spreadOf(clocks.map(({ figures }) => figures[pipeline].mae / figures.default.mae)),
      coverage: LEVELS.map((_, i) => ({
        ...shareOf(own.map(({ coverage }) => coverage[i])),
        ...meansRatio(
          own.map(({ coverage }) => coverage[i]),
          ofDefault.map(({ coverage }) => coverage[i]),
          stream,
        ),
      })),
      // Where truth lies among the quantiles told, and how far that is from where it should.
      below: own[0].below.map((_, i) => mean(own.map(({ below }) => below[i]))),
      pit: pitRatio(
        own.map(({ below }) => below),
        ofDefault.map(({ below }) => below),
        stream,
      ),
    };
  }
  const symmetric = clocks.filter(one => one.symmetric !== false);
  const observable =
    symmetric.length < 2
      ? undefined
      : LEVELS.map((_, i) => shareOf(symmetric.map(({ figures }) => figures.learned.coverage[i])));
  return {
    family,
    clocks: clocks.length,
    learnedShare: mean(clocks.map(({ share }) => share)),
    observable,
    symmetric: symmetric.length,
    pipelines,
  };
}

const result = { seed: values.seed, families: [], alike: [] };
const chosen = values.family ?? FAMILIES;
for (const family of chosen.filter(name => name !== 'peer')) {
  const clocks = [];
  const [drawOne, list] = family in LIKE ? [alike, result.alike] : [simulated, result.families];
  for (let index = 0; index < each; index++) clocks.push(await drawOne(family, index));
  list.push(summary(family, clocks));
  if (!values.json) print(list.at(-1));
}

const peer = values.peer ?? fileURLToPath(new URL('../../shared/peer', import.meta.url));
const wanted = !values['no-peer'] && (values.family === undefined || values.family.includes('peer'));
if (wanted && !existsSync(peer)) {
  console.error(`bench:learned: ${peer}: no such folder; the recordings are left out`);
  // Who asked for them gets nothing of what was asked for.
  if (values.peer !== undefined || values.family !== undefined) process.exit(2);
}
if (wanted && existsSync(peer)) {
  const recordings = new Map();
  for (const name of readdirSync(peer)
    .filter(one => existsSync(join(peer, one, 'scenario.json')))
    .sort()) {
    const trace = await openTrace({ trace: join(peer, name) });
    const about = JSON.parse(readFileSync(join(peer, name, 'scenario.json'), 'utf8'));
    const text = JSON.stringify({
      name,
      warmup: trace.warmup ?? 0,
      world: { kind: 'replayed', trace: trace.file, truth: trace.truthFile },
      pipelines: entries,
    });
    const { recording, truth } = trace;
    const one = await play({ text, name, inputs: { recording, truth }, interval: 10 });
    recordings.set(about.scenario, [
      ...(recordings.get(about.scenario) ?? []),
      { ...one, symmetric: about.scenario !== 'wan-asym' },
    ]);
  }
  result.peer = [...recordings].map(([family, clocks]) => summary(`peer ${family}`, clocks));
  if (!values.json) for (const one of result.peer) print(one);
}
if (values.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);

function text(value) {
  return value === undefined || !Number.isFinite(value.ratio)
    ? '–'
    : `${value.ratio.toFixed(3)} [${value.low.toFixed(2)}, ${value.high.toFixed(2)}]`;
}

function percent(share) {
  return (100 * share).toFixed(1);
}

function print(one) {
  if (!values.markdown) plain(one);
}

function plain({ family, clocks, learnedShare, observable, symmetric, pipelines }) {
  console.log(`\n${family}: ${clocks} clocks; the learned answer was told ${percent(learnedShare)} % of the time`);
  const heads = ['MAE', 'RMS', 'p99', 'pinball', 'RMS after steps', '50 % holds', '80 % holds', '95 % holds', 'PIT'];
  console.log(`${''.padEnd(13)}${heads.map(head => head.padStart(20)).join('')}`);
  for (const [name, one] of Object.entries(pipelines)) {
    const figures = [one.mae, one.rms, one.p99, one.pinball, one.afterSteps, ...one.coverage, one.pit];
    console.log(`${name.padEnd(13)}${figures.map(figure => text(figure).padStart(20)).join('')}`);
    console.log(
      `${''.padEnd(13)}MAE of eight clocks in ten: ${one.spread.low.toFixed(2)}–${one.spread.high.toFixed(2)}; hold ${one.coverage.map(({ share }) => percent(share)).join(' / ')} %; truth below 2.5 10 25 50 75 90 97.5 %: ${one.below.map(share => (100 * share).toFixed(0)).join(' ')}; ${percent(one.pit.uneven)} % in wrong bins`,
    );
  }
  if (observable !== undefined && symmetric < clocks) {
    console.log(
      `learned, on the ${symmetric} clocks whose least delays stay alike: ${observable.map(({ share }) => percent(share)).join(' / ')} %`,
    );
  }
}

/** The tables of docs/learned.md. */
function tables(families) {
  const name = ({ family }) => family.replace(/^peer /, '');
  const row = cells => console.log(`| ${cells.join(' | ')} |`);
  const table = (heads, rows) => {
    console.log('');
    row(heads);
    console.log(`|---|${'---:|'.repeat(heads.length - 1)}`);
    for (const cells of rows) row(cells);
  };
  table(
    [
      'family',
      'last value',
      'regression',
      'Kalman',
      'learned: MAE',
      'eight in ten',
      'RMS',
      'p99',
      'pinball',
      'RMS after steps',
    ],
    families.map(one => {
      const { learned, ...others } = one.pipelines;
      const simple = ['last-value', 'regression', 'kalman-drift'].map(other => others[other].mae.ratio.toFixed(2));
      const { mae, spread, rms, p99, pinball, afterSteps } = learned;
      const clocks = `${spread.low.toFixed(2)}–${spread.high.toFixed(2)}`;
      return [name(one), ...simple, text(mae), clocks, ...[rms, p99, pinball, afterSteps].map(text)];
    }),
  );
  table(
    [
      'family',
      'told',
      'default holds',
      'learned holds',
      'least delays alike',
      '50 %',
      '80 %',
      '95 %',
      'PIT',
      'truth below',
    ],
    families.map(one => {
      const { learned, default: classical } = one.pipelines;
      const holds = coverage => coverage.map(({ share }) => percent(share)).join(' / ');
      // Of the one at 80 %, what so many clocks leave open.
      const leeway = ([, { error }]) => `±${percent(error)}`;
      return [
        name(one),
        `${(100 * one.learnedShare).toFixed(0)} %`,
        holds(classical.coverage),
        `${holds(learned.coverage)} ${leeway(learned.coverage)}`,
        one.symmetric === one.clocks
          ? '–'
          : one.observable === undefined
            ? 'none'
            : `${holds(one.observable)} ${leeway(one.observable)} (${one.symmetric})`,
        ...learned.coverage.map(text),
        text(learned.pit),
        learned.below.map(share => (100 * share).toFixed(0)).join(' '),
      ];
    }),
  );
}

if (values.markdown) {
  if (result.families.length > 0) tables(result.families);
  if (result.alike.length > 0) tables(result.alike);
  if (result.peer !== undefined) tables(result.peer);
}
