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
import { EnsembleEstimator, type EnsembleOptions } from '../src/core/estimation/ensemble-estimator.js';
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

const [, , command, ...rest] = process.argv;
const options: EnsembleOptions = JSON.parse(process.env['OPTIONS'] ?? '{}');
if (command === 'peer') peer(rest[0] ?? '/work/shared/peer', rest[1] ?? '', options, process.env['QUIET'] === '1');
