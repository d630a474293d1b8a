// npm run bench:bound -- [--seeds N] [--particles N] [--json]: how far the default estimator is from the possible. One
// server, 10 ms away with exponential queues of 1 ms each way, and a clock with random-walk FM: the default, which knows
// none of it, beside a bootstrap particle filter (Gordon, Salmond and Smith 1993) that is told the wander, the law and
// scale of the queues and the base of the path, and takes its time. What it leaves over is noise that nobody can remove
// (forward in time; a smoother, which may look ahead, could).
import { EnsembleEstimator } from '../dist/bench.js';
import { count, parsed } from './options.js';

const { values } = parsed({
  options: {
    json: { type: 'boolean' },
    seeds: { type: 'string', default: '4' },
    particles: { type: 'string', default: '5000' },
  },
});
const seeds = count('--seeds', values.seeds);
const particles = count('--particles', values.particles);

const BASE = 0.02;
const QUEUE = 1e-3;
const SITUATIONS = [
  { wander: 1e-9, poll: 64, duration: 21600, warmup: 1200 },
  { wander: 1e-8, poll: 64, duration: 21600, warmup: 1200 },
  { wander: 1e-7, poll: 64, duration: 21600, warmup: 1200 },
  { wander: 1e-9, poll: 256, duration: 43200, warmup: 3600 },
  { wander: 1e-9, poll: 1024, duration: 86400, warmup: 14400 },
];

/** mulberry32, with normal and exponential draws. */
function draws(seed) {
  let state = (seed * 2654435761) >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  for (let i = 0; i < 8; i++) uniform();
  return {
    uniform,
    exponential: mean => -mean * Math.log(1 - uniform()),
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}

/** Exchanges at the counter's own times, and the offset that is true each second in between. */
function simulate({ wander, poll, duration }, seed) {
  const draw = draws(seed);
  const truth = new Float64Array(duration + 1);
  const exchanges = [];
  let x = 0.05;
  let y = 2e-5;
  let next = 0;
  for (let t = 0; t <= duration; t++) {
    truth[t] = x;
    if (t === next) {
      const there = draw.exponential(QUEUE);
      const back = draw.exponential(QUEUE);
      exchanges.push({ at: t, offset: x + (there - back) / 2, delay: BASE + there + back });
      next += exchanges.length < 4 ? 2 : poll;
    }
    const a = draw.normal();
    x += y + wander * (a / 2 + draw.normal() / Math.sqrt(12));
    y += wander * a;
  }
  return { truth, exchanges };
}

function rms({ truth, exchanges }, { warmup }, follow) {
  let told = { offset: 0, drift: 0, at: 0 };
  let k = 0;
  let sum = 0;
  for (let t = 0; t < truth.length; t++) {
    if (t >= warmup) sum += (told.offset + told.drift * (t - told.at) - truth[t]) ** 2;
    if (k < exchanges.length && exchanges[k].at === t) told = { ...follow(exchanges[k++]), at: t };
  }
  return Math.sqrt(sum / (truth.length - warmup));
}

function ours() {
  const estimator = new EnsembleEstimator();
  const rest = { source: 'wan', rootDelay: 0, rootDispersion: 0, precision: 1e-9, stratum: 1 };
  return exchange => estimator.observe({ ...exchange, ...rest });
}

/** Told the truth about everything but the clock's state. Queues of equal exponentials: |r| ≤ e/2, flat. */
function informed({ wander }) {
  const draw = draws(99);
  let xs = new Float64Array(particles);
  let ys = new Float64Array(particles);
  const weights = new Float64Array(particles);
  let at;
  return ({ at: now, offset, delay }) => {
    const half = (delay - BASE) / 2;
    if (at === undefined) {
      for (let i = 0; i < particles; i++) {
        xs[i] = offset + 2 * half * (draw.uniform() - 0.5);
        ys[i] = 2e-5 + 2e-6 * draw.normal();
      }
    }
    const dt = now - (at ?? now);
    at = now;
    let total = 0;
    for (let i = 0; i < particles; i++) {
      const a = wander * Math.sqrt(dt) * draw.normal();
      xs[i] += ys[i] * dt + (a / 2 + (wander * Math.sqrt(dt) * draw.normal()) / Math.sqrt(12)) * dt;
      ys[i] += a;
      // Soft by 2 µs: a cloud of finitely many would die at a hard edge.
      const beyond = Math.max(0, Math.abs(offset - xs[i]) - half) / 2e-6;
      weights[i] = Math.exp(-0.5 * beyond * beyond) + 1e-12 * Math.exp(-Math.abs(offset - xs[i]) / QUEUE);
      total += weights[i];
    }
    const nx = new Float64Array(particles);
    const ny = new Float64Array(particles);
    const u = draw.uniform();
    let reached = 0;
    let j = 0;
    let x = 0;
    let y = 0;
    for (let i = 0; i < particles; i++) {
      while (j < particles - 1 && reached + weights[j] < ((i + u) / particles) * total) reached += weights[j++];
      nx[i] = xs[j];
      ny[i] = ys[j];
      x += xs[j] / particles;
      y += ys[j] / particles;
    }
    xs = nx;
    ys = ny;
    return { offset: x, drift: y };
  };
}

const geometric = numbers => Math.exp(numbers.reduce((sum, x) => sum + Math.log(x), 0) / numbers.length);
const rows = SITUATIONS.map(situation => {
  const both = Array.from({ length: seeds }, (_, i) => {
    const world = simulate(situation, i + 1);
    return { default: rms(world, situation, ours()), bound: rms(world, situation, informed(situation)) };
  });
  const [mine, bound] = ['default', 'bound'].map(who => geometric(both.map(one => one[who])));
  return { wander: situation.wander, poll: situation.poll, default: mine, bound, ratio: mine / bound };
});
if (values.json) process.stdout.write(`${JSON.stringify({ seeds, particles, rows }, null, 2)}\n`);
else {
  console.log(`| wander (1/√s) | poll (s) | default RMS (µs) | particle filter told everything (µs) | ratio |`);
  console.log('|---:|---:|---:|---:|---:|');
  for (const row of rows) {
    const us = seconds => (seconds * 1e6).toFixed(1);
    console.log(`| ${row.wander} | ${row.poll} | ${us(row.default)} | ${us(row.bound)} | ${row.ratio.toFixed(2)} |`);
  }
}
