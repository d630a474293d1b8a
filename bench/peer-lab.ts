/**
 * The estimator's laboratory: replays recordings with known truth, and simulated families, through the default
 * estimator, and prints error ratios and coverage.
 *
 *   npx esbuild bench/peer-lab.ts --bundle --platform=node --format=esm --outfile=/tmp/lab.mjs
 *   node /tmp/lab.mjs peer [DIR] [name filter]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  DEFAULT_HYPOTHESES,
  EnsembleEstimator,
  type EnsembleOptions,
} from '../src/core/estimation/ensemble-estimator.js';
import { type ClockEstimate, offsetAfter, varianceAfter } from '../src/core/estimation/observation.js';

function csv(path: string): { header: string[]; rows: number[][] } {
  const lines = gunzipSync(readFileSync(path)).toString().trim().split('\n');
  return { header: lines[0]!.split(','), rows: lines.slice(1).map(l => l.split(',').map(Number)) };
}

interface Recording {
  name: string;
  family: string;
  warmup: number;
  measurements: { known: number; server: string; at: number; offset: number; delay: number }[];
  /** Local minus true, s, on the 1 s grid. */
  local: Float64Array;
  chrony: Float64Array;
}

function load(dir: string, name: string): Recording {
  const scenario = JSON.parse(readFileSync(join(dir, name, 'scenario.json'), 'utf8'));
  const m = csv(join(dir, name, 'measurements.csv.gz'));
  const c = (n: string) => m.header.indexOf(n);
  const truth = csv(join(dir, name, 'truth.csv.gz')).rows;
  const chrony = csv(join(dir, name, 'chrony.csv.gz')).rows;
  const local = Float64Array.from(truth, r => r[1]!);
  const own = new Float64Array(local.length).fill(Number.NaN);
  for (const r of chrony) own[Math.round(r[0]!)] = r[2]!;
  const alt = scenario.warmup_alt ?? scenario.warmup_alt_s ?? scenario.metrics_after_warmup?.warmup_alt;
  return {
    name,
    family: scenario.scenario,
    warmup: typeof alt === 'number' ? alt : scenario.warmup_s,
    measurements: m.rows.map(r => ({
      known: r[c('t_true_s')]!,
      server: String(r[c('server')]),
      at: r[c('t_local_s')]!,
      offset: r[c('offset_s')]!,
      delay: r[c('delay_s')]!,
    })),
    local,
    chrony: own,
  };
}

interface Score {
  rms: number;
  p99: number;
  max: number;
  cover68: number;
  cover95: number;
  scale: number;
  bound: number;
  chronyRms: number;
  chronyP99: number;
  /** A sample of |error|/sd. */
  quantiles: number[];
}

function quantile(values: Float64Array, q: number): number {
  const sorted = values.slice().sort();
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)]!;
}

function score(r: Recording, options: EnsembleOptions): Score & { perObservation: number } {
  const estimator = new EnsembleEstimator(options);
  let estimate: ClockEstimate | undefined;
  let next = 0;
  const errors: number[] = [];
  const theirs: number[] = [];
  const ratios: number[] = [];
  let in68 = 0;
  let in95 = 0;
  let bound = 0;
  let spent = 0;
  for (let k = 0; k < r.local.length; k++) {
    while (next < r.measurements.length && r.measurements[next]!.known < k) {
      const m = r.measurements[next++]!;
      const t0 = performance.now();
      estimate = estimator.observe({
        source: m.server,
        at: m.at,
        offset: m.offset,
        delay: m.delay,
        rootDelay: 0,
        rootDispersion: 0,
        precision: 1e-7,
        stratum: 1,
      });
      spent += performance.now() - t0;
      if (process.env['TRACE'] === r.name) {
        const e = estimate;
        console.log(
          m.known.toFixed(0),
          m.server,
          'err us',
          ((e.offset + r.local[Math.min(k, r.local.length - 1)]!) * 1e6).toFixed(1),
          'sd',
          (Math.sqrt(e.p00) * 1e6).toFixed(1),
          'drift',
          (e.drift * 1e6).toFixed(4),
          (Math.sqrt(e.p11) * 1e6).toFixed(4),
          JSON.stringify(estimator.sources()),
          'rw',
          Math.sqrt(e.randomWalkFm).toExponential(1),
        );
      }
    }
    if (k < r.warmup || !estimate) continue;
    if (!Number.isFinite(r.chrony[k]!)) continue;
    const reading = k + r.local[k]!;
    const t = reading - estimate.at;
    const error = r.local[k]! + offsetAfter(estimate, t);
    const sd = Math.sqrt(varianceAfter(estimate, t));
    errors.push(Math.abs(error));
    ratios.push(Math.abs(error) / (sd * estimate.scale95));
    theirs.push(Math.abs(r.chrony[k]!));
    if (Math.abs(error) <= sd * estimate.scale68) in68++;
    if (Math.abs(error) <= sd * estimate.scale95) in95++;
    if (Math.abs(error) <= estimate.maxError + estimate.maxErrorRate * Math.max(0, t)) bound++;
  }
  const n = errors.length;
  const rms = (e: number[]) => Math.sqrt(e.reduce((a, b) => a + b * b, 0) / e.length);
  return {
    rms: rms(errors),
    p99: quantile(Float64Array.from(errors), 0.99),
    max: Math.max(...errors),
    cover68: in68 / n,
    cover95: in95 / n,
    scale: quantile(Float64Array.from(ratios), 0.95),
    bound: bound / n,
    chronyRms: rms(theirs),
    chronyP99: quantile(Float64Array.from(theirs), 0.99),
    quantiles: ratios.filter((_, i) => i % 20 === 0).map(v => v * 1.96),
    perObservation: (spent * 1000) / r.measurements.length,
  };
}

const geo = (v: number[]) => Math.exp(v.reduce((a, b) => a + Math.log(b), 0) / v.length);
const MULTI = new Set(['four-servers', 'four-servers-sym', 'falseticker']);

export function peer(dir: string, filter: string, options: EnsembleOptions, quiet = false): number {
  const names = readdirSync(dir)
    .filter(n => n.includes(filter))
    .sort();
  const families = new Map<string, { rms: number[]; p99: number[]; c95: number[]; c68: number[] }>();
  const us = (x: number) => (x * 1e6).toFixed(1).padStart(9);
  for (const name of names) {
    const recording = load(dir, name);
    const s = score(recording, options);
    const f = families.get(recording.family) ?? { rms: [], p99: [], c95: [], c68: [] };
    families.set(recording.family, f);
    f.rms.push(s.rms / s.chronyRms);
    f.p99.push(s.p99 / s.chronyP99);
    f.c95.push(s.cover95);
    f.c68.push(s.cover68);
    if (!quiet)
      console.log(
        name.padEnd(24),
        us(s.rms),
        us(s.chronyRms),
        ' ratio',
        (s.rms / s.chronyRms).toFixed(3),
        'p99',
        (s.p99 / s.chronyP99).toFixed(3),
        'c68',
        s.cover68.toFixed(3),
        'c95',
        s.cover95.toFixed(3),
        's',
        s.scale.toFixed(2),
        'bound',
        s.bound.toFixed(5),
        `${s.perObservation.toFixed(0)}us`,
      );
  }
  const all: number[] = [];
  const single: number[] = [];
  let line = '';
  for (const [family, f] of families) {
    const g = geo(f.rms);
    line += `${family} ${g.toFixed(3)}/${geo(f.p99).toFixed(3)}  `;
    if (family === 'wan-asym') continue;
    all.push(g);
    if (!MULTI.has(family)) single.push(g);
  }
  const cover = (k: 'c95' | 'c68') => [...families].filter(([n]) => n !== 'wan-asym').flatMap(([, f]) => f[k]);
  const mean = (v: number[]) => v.reduce((a, b) => a + b, 0) / v.length;
  console.log(line);
  console.log(
    `geo ${geo(all).toFixed(4)} single ${single.length ? geo(single).toFixed(4) : '-'} c95 ${mean(cover('c95')).toFixed(3)} c68 ${mean(cover('c68')).toFixed(3)}`,
  );
  return geo(all);
}

// ---------------------------------------------------------------------------------------------------------------
// Simulated families: the same estimator on clocks, queues and situations drawn at random, away from the recordings.

class Draw {
  #s: number;
  constructor(seed: number) {
    this.#s = (seed * 2654435761) >>> 0;
    for (let i = 0; i < 8; i++) this.uniform();
  }
  /** mulberry32 */
  uniform(): number {
    this.#s = (this.#s + 0x6d2b79f5) >>> 0;
    let t = this.#s;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.uniform());
  }
  logUniform(low: number, high: number): number {
    return low * (high / low) ** this.uniform();
  }
}

interface Link {
  up: number;
  down: number;
  /** Extra base delay of each way after the route change. */
  change?: { at: number; up: number; down: number };
  queue(draw: Draw): number;
  /** Extra queueing while congested: mean there and back, s. */
  congestion?: { up: number; down: number; on: number; off: number };
  /** Extra queueing both ways during the last `length` of every `period`, s. */
  periodic?: { mean: number; period: number; length: number };
  serverOffset: number;
}

interface World {
  duration: number;
  poll: number;
  wander: number;
  whiteFm: number;
  drift: number;
  offset: number;
  sine?: { amplitude: number; period: number };
  frequencyStep?: { at: number; by: number };
  timeStep?: { at: number; by: number };
  gap?: { from: number; to: number };
  gaussian?: number;
  links: Link[];
}

const exponentialQueue = (mean: number) => (d: Draw) => d.exponential(mean);

function baseWorld(d: Draw): World {
  return {
    duration: 21600,
    poll: 2 ** (4 + Math.floor(d.uniform() * 5)),
    wander: d.logUniform(3e-10, 3e-8),
    whiteFm: d.logUniform(1e-10, 3e-9),
    drift: d.normal() * 2e-5,
    offset: d.normal() * 0.05,
    links: [wan(d)],
  };
}

function wan(d: Draw): Link {
  const base = d.logUniform(2e-3, 5e-2);
  return { up: base, down: base, queue: exponentialQueue(base * d.logUniform(0.01, 0.3)), serverOffset: 0 };
}

const SIMULATED: Record<string, (d: Draw) => World> = {
  wan: baseWorld,
  lan: d => {
    const base = d.logUniform(5e-5, 3e-4);
    return {
      ...baseWorld(d),
      links: [{ up: base, down: base, queue: exponentialQueue(base * d.logUniform(0.03, 0.3)), serverOffset: 0 }],
    };
  },
  heavy: d => {
    const w = baseWorld(d);
    const base = d.logUniform(2e-3, 5e-2);
    const jitter = base * d.logUniform(0.01, 0.2);
    const alpha = 1.2 + d.uniform() * 1.5;
    const spike = d.uniform() * 0.05;
    const queue = (q: Draw) => {
      let s = q.exponential(jitter);
      s += Math.min(0.5, jitter * 0.5 * ((1 - q.uniform()) ** (-1 / alpha) - 1));
      if (q.uniform() < spike) s += q.exponential(jitter * 30);
      return s;
    };
    return { ...w, links: [{ up: base, down: base, queue, serverOffset: 0 }] };
  },
  lognormal: d => {
    const w = baseWorld(d);
    const base = d.logUniform(2e-3, 5e-2);
    const jitter = base * d.logUniform(0.01, 0.2);
    const sigma = 0.5 + d.uniform();
    return {
      ...w,
      links: [{ up: base, down: base, queue: q => jitter * Math.exp(sigma * q.normal()), serverOffset: 0 }],
    };
  },
  oneway: d => {
    const w = baseWorld(d);
    const l = w.links[0]!;
    const by = l.up * d.logUniform(0.2, 3);
    const congestion = d.uniform() < 0.5 ? { up: by, down: 0 } : { up: 0, down: by };
    return { ...w, links: [{ ...l, congestion: { ...congestion, on: 900, off: 1800 } }] };
  },
  congestion: d => {
    const w = baseWorld(d);
    const l = w.links[0]!;
    const by = l.up * d.logUniform(0.2, 3);
    return { ...w, links: [{ ...l, congestion: { up: by, down: by, on: 600, off: 1800 } }] };
  },
  route: d => {
    const w = baseWorld(d);
    const l = w.links[0]!;
    const by = l.up * d.logUniform(0.05, 1);
    const change = d.uniform() < 0.5 ? { up: by, down: 0 } : { up: 0, down: by };
    return { ...w, links: [{ ...l, change: { ...change, at: 9000 } }] };
  },
  routesym: d => {
    const w = baseWorld(d);
    const l = w.links[0]!;
    const by = l.up * d.logUniform(0.05, 1);
    return { ...w, links: [{ ...l, change: { up: by, down: by, at: 9000 } }] };
  },
  four: d => ({ ...baseWorld(d), links: [wan(d), wan(d), wan(d), wan(d)] }),
  fourbias: d => {
    const links = [wan(d), wan(d), wan(d), wan(d)];
    const i = Math.floor(d.uniform() * 4);
    const l = links[i]!;
    links[i] = { ...l, up: l.up * (1 + 0.3 * d.uniform()) };
    return { ...baseWorld(d), links };
  },
  false2of5: d => {
    const links = [wan(d), wan(d), wan(d), wan(d), wan(d)];
    const by = d.logUniform(0.1, 10) * (d.uniform() < 0.5 ? 1 : -1);
    links[1]!.serverOffset = by;
    links[3]!.serverOffset = by;
    return { ...baseWorld(d), links };
  },
  fourstep: d => ({
    ...baseWorld(d),
    links: [wan(d), wan(d), wan(d), wan(d)],
    timeStep: { at: 9000 + d.uniform() * 64, by: d.logUniform(1e-2, 10) * (d.uniform() < 0.5 ? 1 : -1) },
  }),
  step: d => ({
    ...baseWorld(d),
    timeStep: { at: 9000 + d.uniform() * 64, by: d.logUniform(1e-3, 10) * (d.uniform() < 0.5 ? 1 : -1) },
  }),
  freqstep: d => ({
    ...baseWorld(d),
    wander: 1e-9,
    frequencyStep: { at: 9000 + d.uniform() * 64, by: d.logUniform(2e-7, 2e-5) * (d.uniform() < 0.5 ? 1 : -1) },
  }),
  temperature: d => ({
    ...baseWorld(d),
    wander: 1e-9,
    sine: { amplitude: d.logUniform(2e-7, 5e-6), period: d.logUniform(3600, 86400) },
  }),
  badosc: d => ({ ...baseWorld(d), wander: d.logUniform(3e-8, 3e-7) }),
  goodosc: d => ({ ...baseWorld(d), wander: d.logUniform(1e-11, 3e-10) }),
  sparse: d => ({ ...baseWorld(d), poll: 1024, duration: 86400 }),
  gap: d => ({ ...baseWorld(d), gap: { from: 9000, to: 9000 + d.logUniform(900, 9000) } }),
  gauss: d => {
    const w = baseWorld(d);
    return {
      ...w,
      gaussian: w.links[0]!.up * d.logUniform(0.01, 0.1),
      links: [{ ...w.links[0]!, queue: q => q.exponential(1e-5) }],
    };
  },
};
/** The recordings' own families, for calibration over many seeds. */
const peerLink = (base: number, mean: number): Link => ({
  up: base,
  down: base,
  queue: exponentialQueue(mean),
  serverOffset: 0,
});
const peerWorld = (links: Link[], more: Partial<World> = {}): World => ({
  duration: 21600,
  poll: 64,
  wander: 1e-9,
  whiteFm: 0,
  drift: 2e-5,
  offset: 0.05,
  links,
  ...more,
});
const wanExp = () => peerLink(0.01, 0.001);
const heavyQueue = (q: Draw) => {
  let s = q.exponential(0.0005) + Math.min(0.5, 0.0003 * ((1 - q.uniform()) ** (-1 / 1.5) - 1));
  if (q.uniform() < 0.02) s += 0.04 + q.exponential(0.01);
  return s;
};
Object.assign(SIMULATED, {
  'p-lan': () => peerWorld([peerLink(0.0001, 0.00001)]),
  'p-wan': () => peerWorld([wanExp()]),
  'p-heavy': () => peerWorld([{ ...wanExp(), queue: heavyQueue }]),
  'p-four': () =>
    peerWorld([peerLink(0.008, 0.001), peerLink(0.012, 0.0008), peerLink(0.018, 0.002), peerLink(0.03, 0.003)]),
  'p-false': () =>
    peerWorld([
      wanExp(),
      peerLink(0.011, 0.001),
      peerLink(0.012, 0.001),
      { ...wanExp(), serverOffset: 0.1 },
      { ...peerLink(0.011, 0.001), serverOffset: 0.1 },
    ]),
  'p-freq': () => peerWorld([wanExp()], { frequencyStep: { at: 10800, by: 5e-6 } }),
  'p-time': () => peerWorld([wanExp()], { timeStep: { at: 10800, by: 0.2 } }),
  'p-temp': () => peerWorld([wanExp()], { sine: { amplitude: 2e-6, period: 14400 } }),
  'p-sparse': () => peerWorld([wanExp()], { poll: 1024, duration: 86400 }),
  'p-outage': () => peerWorld([wanExp()], { duration: 28800, gap: { from: 10800, to: 18000 } }),
  'p-bad': () => peerWorld([wanExp()], { wander: 1e-7 }),
  'p-congestion': () => peerWorld([{ ...wanExp(), periodic: { mean: 0.02, period: 1800, length: 600 } }]),
  'p-poll256': () => peerWorld([wanExp()], { poll: 256 }),
  'p-oneway': () => peerWorld([{ ...wanExp(), congestion: { up: 0.01, down: 0, on: 900, off: 1800 } }]),
  'p-routesym': () => peerWorld([{ ...wanExp(), change: { at: 9000, up: 0.005, down: 0.005 } }]),
});
const ASYMMETRIC = new Set(['route', 'fourbias']);

function simulate(family: string, seed: number): Recording & { world: World } {
  const name = [...family].reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) >>> 0, 7);
  const world = SIMULATED[family]!(new Draw(name + seed * 7919));
  const clock = new Draw(name + seed * 7919 + 1);
  const local = new Float64Array(world.duration + 1);
  let x = world.offset;
  let y = world.drift;
  for (let k = 0; k <= world.duration; k++) {
    local[k] = x;
    let f = y;
    if (world.sine) f += world.sine.amplitude * Math.sin((2 * Math.PI * k) / world.sine.period);
    const a = clock.normal();
    const b = clock.normal();
    const c = clock.normal();
    x += f + world.whiteFm * c + world.wander * (a / 2 + b / Math.sqrt(12));
    y += world.wander * a;
    if (world.frequencyStep && Math.floor(world.frequencyStep.at) === k) y += world.frequencyStep.by;
    if (world.timeStep && Math.floor(world.timeStep.at) === k) x += world.timeStep.by;
  }
  const errorAt = (t: number) => {
    const k = Math.max(0, Math.min(world.duration - 1, Math.floor(t)));
    // A step happens at the end of its cell.
    const stepped = world.timeStep && Math.floor(world.timeStep.at) === k ? world.timeStep.by : 0;
    return local[k]! + (t - k) * (local[k + 1]! - stepped - local[k]!);
  };
  const measurements: Recording['measurements'] = [];
  world.links.forEach((link, s) => {
    const d = new Draw(name + seed * 7919 + 100 + s);
    let congested = false;
    let until = d.exponential(link.congestion?.off ?? 1);
    const times: number[] = [0, 2, 4, 6].map(t => t + 0.2 + 0.2 * s);
    for (let t = 6 + world.poll; t < world.duration - 2; t += world.poll * (1 + 0.02 * (d.uniform() - 0.5)))
      times.push(t + 0.2 * s);
    for (const t of times) {
      let u = link.up + link.queue(d);
      let b = link.down + link.queue(d);
      if (link.congestion) {
        while (until < t) {
          congested = !congested;
          until += d.exponential(congested ? link.congestion.on : link.congestion.off);
        }
        const cu = d.exponential(link.congestion.up || 1);
        const cb = d.exponential(link.congestion.down || 1);
        if (congested) {
          u += link.congestion.up ? cu : 0;
          b += link.congestion.down ? cb : 0;
        }
      }
      if (link.periodic && t % link.periodic.period > link.periodic.period - link.periodic.length) {
        u += d.exponential(link.periodic.mean);
        b += d.exponential(link.periodic.mean);
      }
      if (link.change && t > link.change.at) {
        u += link.change.up;
        b += link.change.down;
      }
      if (world.gap && t > world.gap.from && t < world.gap.to) continue;
      const noise = world.gaussian ? world.gaussian * d.normal() : 0;
      const arrive = t + u + b;
      const t1 = t + errorAt(t);
      const t4 = arrive + errorAt(arrive);
      const t2 = t + u + link.serverOffset;
      const fuzz = () => (d.uniform() - 0.5) * 2e-7;
      const f2 = fuzz();
      const f3 = fuzz();
      measurements.push({
        known: arrive,
        server: String(s),
        at: t4,
        offset: (t2 + f2 - t1 + (t2 + f3 - t4)) / 2 + noise,
        delay: t4 - t1 - (f3 - f2),
      });
    }
  });
  measurements.sort((a, b) => a.known - b.known);
  return {
    name: `${family}-${seed}`,
    family,
    warmup: world.poll >= 1024 ? 14400 : 1200,
    measurements,
    local,
    chrony: baseline(world, measurements, local),
    world,
  };
}

/** Two-state Kalman filter with the true process noise and a constant R from the truth's own residuals: the yardstick. */
function baseline(world: World, measurements: Recording['measurements'], local: Float64Array): Float64Array {
  const out = new Float64Array(local.length).fill(Number.NaN);
  const residuals = measurements.map(m => m.offset + local[Math.round(m.known)]!).sort((a, b) => a - b);
  const low = residuals[Math.floor(residuals.length * 0.16)]!;
  const high = residuals[Math.floor(residuals.length * 0.84)]!;
  const r = ((high - low) / 2) ** 2 + 1e-14;
  const middle = residuals[residuals.length >> 1]!;
  const sine = world.sine ? (world.sine.amplitude * 2 * Math.PI) / world.sine.period : 0;
  const q = world.wander ** 2 + sine * sine * 600;
  let x = measurements[0]!.offset;
  let y = 0;
  let p00 = 1;
  let p01 = 0;
  let p11 = 1e-8;
  let at = measurements[0]!.at;
  let next = 0;
  for (let k = 0; k < local.length; k++) {
    while (next < measurements.length && measurements[next]!.known < k) {
      const m = measurements[next++]!;
      const dt = m.at - at;
      at = m.at;
      x += y * dt;
      p00 += 2 * dt * p01 + dt * dt * p11 + (q * dt ** 3) / 3 + world.whiteFm ** 2 * dt;
      p01 += dt * p11 + (q * dt * dt) / 2;
      p11 += q * dt;
      const innovation = m.offset - x;
      if (Math.abs(innovation) > 0.5 && world.timeStep && Math.abs(innovation) > 20 * Math.sqrt(p00 + r)) p00 += 1;
      else if (Math.abs(innovation - middle) > 6 * Math.sqrt(p00 + r)) continue;
      const s = p00 + r;
      const k0 = p00 / s;
      const k1 = p01 / s;
      x += k0 * innovation;
      y += k1 * innovation;
      p11 -= k1 * p01;
      p01 -= k0 * p01;
      p00 -= k0 * p00;
    }
    if (next > 0) out[k] = local[k]! + x + y * (k + local[k]! - at);
  }
  return out;
}

function lab(filter: string, seeds: number, options: EnsembleOptions, first = 1): void {
  const all: number[] = [];
  let spent = 0;
  let count = 0;
  let line = '';
  for (const family of Object.keys(SIMULATED)) {
    if (filter ? !family.includes(filter) : family.startsWith('p-')) continue;
    const ratios: number[] = [];
    const pooled: number[] = [];
    let in68 = 0;
    let in95 = 0;
    let bound = 1;
    let top = 0;
    let topSeed = 0;
    const absolute: number[] = [];
    for (let seed = first; seed < first + seeds; seed++) {
      const r = simulate(family, seed);
      const s = score(r, options);
      ratios.push(s.rms / s.chronyRms);
      absolute.push(s.rms);
      if (s.rms / s.chronyRms > top) {
        top = s.rms / s.chronyRms;
        topSeed = seed;
      }
      in68 += s.cover68 / seeds;
      in95 += s.cover95 / seeds;
      bound = Math.min(bound, s.bound);
      spent += s.perObservation * r.measurements.length;
      count += r.measurements.length;
      for (const q of s.quantiles) pooled.push(q);
    }
    pooled.sort((a, b) => a - b);
    const g = geo(ratios);
    if (!ASYMMETRIC.has(family)) all.push(g);
    if (process.env['QUIET'] === '1') {
      line += `${family} ${g.toFixed(3)} ${(100 * in68).toFixed(0)}/${(100 * in95).toFixed(1)}  `;
    } else
      console.log(
        family.padEnd(12),
        'rms us',
        (geo(absolute) * 1e6).toFixed(2).padStart(8),
        'ratio',
        g.toFixed(3),
        'worst',
        `${top.toFixed(2)}(${topSeed})`,
        'c68',
        in68.toFixed(3),
        'c95',
        in95.toFixed(3),
        's68',
        pooled[Math.floor(pooled.length * 0.68)]!.toFixed(2),
        's95',
        (pooled[Math.floor(pooled.length * 0.95)]! / 1.96).toFixed(2),
        'bound',
        bound.toFixed(5),
      );
  }
  if (line) console.log(line);
  console.log(`geo ${geo(all).toFixed(4)}  ${(spent / count).toFixed(1)} us/observation`);
}

const [, , command, ...rest] = process.argv;
const options: EnsembleOptions = JSON.parse(process.env['OPTIONS'] ?? '{}');
if (command === 'peer') peer(rest[0] ?? '/work/shared/peer', rest[1] ?? '', options, process.env['QUIET'] === '1');
if (command === 'lab') lab(rest[0] ?? '', Number(rest[1] ?? 10), options, Number(rest[2] ?? 1));
if (command === 'one') {
  const r = simulate(rest[0]!, Number(rest[1]));
  process.env['TRACE'] = r.name;
  console.log(JSON.stringify(r.world));
  const s = score(r, options);
  console.log(JSON.stringify({ ...s, quantiles: [] }));
}

/** Lower bound: a particle filter that knows the law of the queues, the base and the wander. */
function oracle(r: Recording & { world: World }, mean: number, particles = 20000): number {
  const d = new Draw(99);
  const link = r.world.links[0]!;
  const base = link.up + link.down;
  let xs = new Float64Array(particles);
  let ys = new Float64Array(particles);
  const ws = new Float64Array(particles);
  const first = r.measurements[0]!;
  for (let i = 0; i < particles; i++) {
    xs[i] = first.offset + (first.delay - base) * (d.uniform() - 0.5);
    ys[i] = -r.world.drift + 3e-6 * d.normal();
  }
  let at = first.at;
  let next = 1;
  let sum = 0;
  let n = 0;
  let mx = first.offset;
  let my = 0;
  for (let k = 0; k < r.local.length; k++) {
    while (next < r.measurements.length && r.measurements[next]!.known < k) {
      const m = r.measurements[next++]!;
      const dt = m.at - at;
      at = m.at;
      const sy = r.world.wander * Math.sqrt(dt);
      const half = Math.max(m.delay - base, 0) / 2;
      let total = 0;
      for (let i = 0; i < particles; i++) {
        const a = d.normal() * sy;
        const b = (d.normal() * sy) / Math.sqrt(12);
        xs[i]! += ys[i]! * dt + (a / 2 + b) * dt;
        ys[i]! += a;
        const v = Math.max(0, Math.abs(m.offset - xs[i]!) - half) / 3e-7;
        ws[i] = Math.exp(-0.5 * v * v) + 1e-12 * Math.exp(-Math.abs(m.offset - xs[i]!) / mean);
        total += ws[i]!;
      }
      const nx = new Float64Array(particles);
      const ny = new Float64Array(particles);
      let c = 0;
      let j = 0;
      const u = d.uniform();
      for (let i = 0; i < particles; i++) {
        while (j < particles - 1 && c + ws[j]! < ((i + u) / particles) * total) c += ws[j++]!;
        nx[i] = xs[j]!;
        ny[i] = ys[j]!;
      }
      xs = nx;
      ys = ny;
      mx = xs.reduce((a, b) => a + b, 0) / particles;
      my = ys.reduce((a, b) => a + b, 0) / particles;
    }
    if (k < r.warmup) continue;
    const e = r.local[k]! + mx + my * (k + r.local[k]! - at);
    sum += e * e;
    n++;
  }
  return Math.sqrt(sum / n);
}

if (command === 'oracle') {
  const ours: number[] = [];
  const bounds: number[] = [];
  const wander = Number(rest[0] ?? 1e-9);
  const poll = Number(rest[1] ?? 64);
  const seeds = Number(rest[2] ?? 8);
  SIMULATED['oracle'] = () => ({
    duration: poll > 512 ? 86400 : 21600,
    poll,
    wander,
    whiteFm: 1e-11,
    drift: 2e-5,
    offset: 0.05,
    links: [{ up: 0.01, down: 0.01, queue: exponentialQueue(0.001), serverOffset: 0 }],
  });
  for (let seed = 1; seed <= seeds; seed++) {
    const r = simulate('oracle', seed);
    ours.push(score(r, options).rms);
    bounds.push(process.env['NOBOUND'] ? 1 : oracle(r, 0.001));
  }
  console.log(
    'ours',
    ours.map(v => (v * 1e6).toFixed(1)).join(' '),
    'oracle',
    bounds.map(v => (v * 1e6).toFixed(1)).join(' '),
  );
  console.log(
    `wander ${wander} poll ${poll}: ours ${(geo(ours) * 1e6).toFixed(1)} us, oracle ${(geo(bounds) * 1e6).toFixed(1)} us, ratio ${(geo(ours) / geo(bounds)).toFixed(3)}`,
  );
}
if (command === 'cost') {
  for (const family of ['wan', 'four', 'false2of5']) {
    const r = simulate(family, 3);
    for (let round = 0; round < 4; round++) {
      const estimator = new EnsembleEstimator(options);
      const cpu = process.cpuUsage();
      const passes = Math.ceil(6000 / r.measurements.length);
      for (let pass = 0; pass < passes; pass++) {
        for (const m of r.measurements) {
          estimator.observe({
            source: m.server,
            at: m.at + pass * 21600,
            offset: m.offset,
            delay: m.delay,
            rootDelay: 0,
            rootDispersion: 0,
            precision: 1e-7,
            stratum: 1,
          });
        }
      }
      const used = process.cpuUsage(cpu);
      console.log(
        family,
        round,
        ((used.user + used.system) / r.measurements.length / passes).toFixed(1),
        'us cpu/observation',
      );
    }
  }
}

/** What each idea is worth: the default, and the default without it, on recordings and on simulated families. */
if (command === 'ablation') {
  const bank = DEFAULT_HYPOTHESES;
  const variants: Record<string, EnsembleOptions> = {
    default: {},
    'one wander (1e-8)': { hypotheses: [{ wander: 1e-8, ageing: 0, initialDrift: 5e-5, weight: 1 }] },
    'no ageing member': { hypotheses: bank.filter(h => h.ageing === 0) },
    'no delay-deaf members': { hypotheses: bank.filter(h => h.delaysTell !== false) },
    'no base posterior': { without: ['base-delay'] },
    'normal likelihood e²/12': { without: ['queue-likelihood'] },
    'no congestion law': { without: ['queue-law'] },
    'no routes': { without: ['routes'] },
    'no steps': { without: ['steps'] },
    'no selection': { without: ['selection'] },
    'no bias hypotheses': { biasWide: 0.0005 },
    'no soft ends': { softness: 0 },
  };
  process.env['QUIET'] = '1';
  for (const [name, variant] of Object.entries(variants)) {
    console.log(`\n## ${name}`);
    peer('/work/shared/peer', '', variant, true);
    lab('', Number(rest[0] ?? 5), variant);
  }
}
