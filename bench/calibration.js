// npm run bench:calibration -- [--seeds N] [--family NAME] [--json]: how often the default pipeline's intervals hold the
// truth, over many realisations of each of the recordings' situations (bench/families.js). `s` is the factor on all
// half-widths, centres fixed, that would cover exactly 95 %: above 1 the intervals are too narrow, below it too wide.
import { namedPipelines, parseScenario, runScenario } from '../dist/bench.js';
import { FAMILIES, scenarioOf } from './families.js';
import { count, parsed } from './options.js';

const { values } = parsed({
  options: {
    json: { type: 'boolean' },
    seeds: { type: 'string', default: '200' },
    first: { type: 'string', default: '1' },
    family: { type: 'string', multiple: true },
  },
});
const seeds = count('--seeds', values.seeds);
const first = count('--first', values.first, 0);
const unknown = (values.family ?? []).find(name => !Object.hasOwn(FAMILIES, name));
if (unknown !== undefined) {
  console.error(`bench:calibration: --family: no family '${unknown}'; there are ${Object.keys(FAMILIES).join(', ')}`);
  process.exit(2);
}

/** Deviations of a normal law that hold 68 and 95 %. */
const NORMAL = { at68: 0.994457883209753, at95: 1.959963984540054 };
const [entry] = await namedPipelines(['default']);
const families = [];
for (const name of values.family ?? Object.keys(FAMILIES)) {
  const ratios = [];
  let at68Held = 0;
  let count = 0;
  let square = 0;
  let bound = 0;
  for (let seed = first; seed < first + seeds; seed++) {
    const { scenario } = await parseScenario(scenarioOf(name, seed, [{ ...entry, name: 'ours' }]), name);
    const sink = {
      interval: 10,
      sample({ t, pipeline, told, error, estimate }) {
        if (pipeline !== 'ours' || t < scenario.warmup || told.uncertainty === undefined) return;
        // The same interval at 68 %: the estimate's own ratio of the two, or a normal law's.
        const { at68, at95 } = estimate.quantiles ?? NORMAL;
        count += 1;
        if (Math.abs(error) <= (told.uncertainty * at68) / at95) at68Held += 1;
        ratios.push(Math.abs(error) / told.uncertainty);
        square += error * error;
        if (Math.abs(error) <= told.maxError) bound += 1;
      },
    };
    await runScenario({ scenario, file: name, sinks: [sink] });
  }
  const sorted = Float64Array.from(ratios).sort();
  families.push({
    family: name,
    seeds,
    coverage68: at68Held / count,
    coverage95: ratios.filter(ratio => ratio <= 1).length / ratios.length,
    factor95: sorted[Math.min(sorted.length - 1, Math.ceil(0.95 * sorted.length) - 1)],
    rms: Math.sqrt(square / ratios.length),
    maxErrorCoverage: bound / ratios.length,
  });
  if (!values.json) {
    const { coverage68, coverage95, factor95, rms, maxErrorCoverage } = families.at(-1);
    const percent = share => `${(100 * share).toFixed(1).padStart(5)} %`;
    if (families.length === 1)
      console.log(`${seeds} seeds a family     68 % holds  95 %     s   RMS µs  maximum error holds`);
    console.log(
      `${name.padEnd(22)} ${percent(coverage68)} ${percent(coverage95)} ${factor95.toFixed(2)} ` +
        `${(rms * 1e6).toFixed(1).padStart(8)}  ${(100 * maxErrorCoverage).toFixed(3)} %`,
    );
  }
}
if (values.json) process.stdout.write(`${JSON.stringify({ seeds, families }, null, 2)}\n`);
