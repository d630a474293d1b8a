// npm run bench:peer -- [DIR] [--json] [--pipeline NAME|FILE]: the default pipeline (or another) on every recording of
// DIR, against chronyd on the same packets. Errors are scored each second of the truth file after the warm-up; ratios
// are to chronyd's own best estimate, the harder one; the clock that it disciplines stands beside it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { namedPipelines, openTrace, parseScenario, runScenario } from '../dist/bench.js';
import { parsed } from './options.js';

const { values, positionals } = parsed({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, pipeline: { type: 'string' }, without: { type: 'string', multiple: true } },
});
const folder = positionals[0] ?? fileURLToPath(new URL('../../shared/peer', import.meta.url));
if (!existsSync(folder)) {
  console.error(`bench:peer: ${folder}: no such folder; give the folder of the recordings`);
  process.exit(2);
}
/** 5 ms of asymmetry that nobody can see: printed, and left out of the means. */
const UNOBSERVABLE = 'wan-asym';

const geometric = numbers => Math.exp(numbers.reduce((sum, x) => sum + Math.log(x), 0) / numbers.length);

function columns(path) {
  const text = gunzipSync(readFileSync(path)).toString();
  const [head, ...rows] = text.trim().split('\n');
  const names = head.split(',');
  const table = rows.map(row => row.split(',').map(Number));
  return name => table.map(row => row[names.indexOf(name)]);
}

function figures(errors) {
  const sizes = errors.map(Math.abs).sort((a, b) => a - b);
  return {
    rms: Math.sqrt(errors.reduce((sum, e) => sum + e * e, 0) / errors.length),
    p99: sizes[Math.max(0, Math.ceil(0.99 * sizes.length) - 1)],
  };
}

const [pipeline] = await namedPipelines([values.pipeline ?? 'default']);
if (values.without !== undefined) pipeline.corrector = { use: 'ensemble', without: values.without };

const recordings = [];
const names = readdirSync(folder)
  .filter(name => existsSync(join(folder, name, 'scenario.json')))
  .sort();
for (const name of names) {
  const trace = await openTrace({ trace: join(folder, name) });
  const about = JSON.parse(readFileSync(join(folder, name, 'scenario.json'), 'utf8'));
  const warmup = trace.warmup ?? 0;
  const text = JSON.stringify({
    name,
    warmup,
    world: { kind: 'replayed', trace: trace.file, truth: trace.truthFile },
    pipelines: [{ ...pipeline, name: 'ours' }],
  });
  const { scenario } = await parseScenario(text, name);
  const { recording, truth } = trace;
  const before = process.cpuUsage();
  const summary = await runScenario({ scenario, file: name, recording, truth });
  const used = process.cpuUsage(before);
  const { error, bounds } = summary.pipelines.find(one => one.name === 'ours');
  const chrony = columns(join(folder, name, 'chrony.csv.gz'));
  const times = chrony('t_true_s');
  const scored = column => figures(chrony(column).filter((e, i) => times[i] >= warmup && Number.isFinite(e)));
  const own = scored('chrony_cooked_error_s');
  recordings.push({
    name,
    family: about.scenario,
    servers: about.servers.length,
    ours: {
      rms: error.rms,
      mae: error.mae,
      p99: error.p99,
      max: error.max,
      coverage95: bounds.coverage,
      maxErrorCoverage: bounds.maxErrorCoverage,
    },
    chrony: { own, disciplined: scored('chrony_error_s') },
    ratio: { rms: error.rms / own.rms, p99: error.p99 / own.p99 },
    measurements: recording.events.length,
    cpuPerMeasurement: (used.user + used.system) / 1e6 / recording.events.length,
  });
}

const families = [...new Set(recordings.map(({ family }) => family))].map(family => {
  const own = recordings.filter(one => one.family === family);
  return {
    family,
    servers: own[0].servers,
    ratio: { rms: geometric(own.map(one => one.ratio.rms)), p99: geometric(own.map(one => one.ratio.p99)) },
    coverage95: own.reduce((sum, one) => sum + one.ours.coverage95, 0) / own.length,
  };
});
const counted = families.filter(({ family }) => family !== UNOBSERVABLE);
const single = counted.filter(({ servers }) => servers === 1);
const result = {
  recordings,
  families,
  geometricMean: geometric(counted.map(({ ratio }) => ratio.rms)),
  geometricMeanSingleServer: geometric(single.map(({ ratio }) => ratio.rms)),
  coverage95: counted.reduce((sum, one) => sum + one.coverage95, 0) / counted.length,
};

if (values.json) {
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
} else {
  const us = seconds => `${(seconds * 1e6).toFixed(1).padStart(9)}`;
  console.log(
    'µs after warm-up          ours RMS      mean       p99     worst | chronyd own   p99 disciplined | ratio   p99 | 95 % holds',
  );
  for (const { name, ours, chrony, ratio } of recordings) {
    console.log(
      `${name.padEnd(22)} ${us(ours.rms)} ${us(ours.mae)} ${us(ours.p99)} ${us(ours.max)} | ${us(chrony.own.rms)} ` +
        `${us(chrony.own.p99)} ${us(chrony.disciplined.rms)} | ${ratio.rms.toFixed(3)} ${ratio.p99.toFixed(3)} | ` +
        `${(100 * ours.coverage95).toFixed(1)} % (maximum error ${(100 * ours.maxErrorCoverage).toFixed(2)} %)`,
    );
  }
  console.log('\nfamily: geometric mean of the ratios to chronyd’s own estimate, RMS and p99');
  for (const { family, ratio, coverage95 } of families) {
    console.log(
      `${family.padEnd(22)} ${ratio.rms.toFixed(3)} ${ratio.p99.toFixed(3)}  ${(100 * coverage95).toFixed(1)} %` +
        `${family === UNOBSERVABLE ? '  (left out of the means: nobody can see it)' : ''}`,
    );
  }
  console.log(
    `\nover families ${result.geometricMean.toFixed(3)}, single-server families ${result.geometricMeanSingleServer.toFixed(3)}`,
  );
  const cost = recordings.reduce((sum, one) => sum + one.cpuPerMeasurement, 0) / recordings.length;
  console.log(`whole replay, 1 Hz scoring included: ${(cost * 1e6).toFixed(0)} µs of CPU a measurement`);
}
