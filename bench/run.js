// npm run bench [-- --json]: how fast simulated time runs. Everything goes through what `run` uses: the scenario file,
// the full NTP client with its packets and bytes, the pipeline, and truth scored at 1 Hz; only the output is not written.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { openScenario, runScenario } from '../dist/bench.js';
import { parsed } from './options.js';

const WARM_UPS = 5;
const RUNS = 7;
const DAY = 86400;
const LONG = 30;

/** What the peer needs for the same day on one core of a machine of this size, its best configuration: clknetsim with
 * chronyd, seconds of wall time. */
const PEER = { 'one-server-day': 0.2, 'four-servers-day': 0.64 };

const { json } = parsed({ options: { json: { type: 'boolean' } } }).values;
const folder = fileURLToPath(new URL('.', import.meta.url));
const root = fileURLToPath(new URL('..', import.meta.url));

/** Wall and processor time of one run, seconds. */
async function timed(loaded, duration) {
  const scenario = { ...loaded.scenario, duration };
  const start = performance.now();
  const before = process.cpuUsage();
  const summary = await runScenario({ scenario, file: loaded.file });
  const { user, system } = process.cpuUsage(before);
  const wall = (performance.now() - start) / 1000;
  if (summary.pipelines.some(({ samples }) => samples !== duration)) throw new Error('not every second was scored');
  return { wall, cpu: (user + system) / 1e6 };
}

/**
 * Processor time of a loop that allocates and forgets as a simulation does, seconds: what the figures can be divided by
 * where machines, or what else runs on them, differ.
 */
function calibrate() {
  const before = process.cpuUsage();
  let sum = 0;
  for (let i = 0; i < 2e6; i++) {
    const told = { time: i + 0.5, offset: Math.log(i + 1), axis: 'counter', uncertainty: Math.sqrt(i + 0.1) };
    KEPT[i & 4095] = told;
    sum += told.offset + told.uncertainty;
  }
  const { user, system } = process.cpuUsage(before);
  if (!Number.isFinite(sum)) throw new Error('the calibration loop computed nothing');
  return (user + system) / 1e6;
}
const KEPT = new Array(4096);
for (let i = 0; i < 3; i++) calibrate();
const calibrations = [];

const median = values => [...values].sort((a, b) => a - b)[values.length >> 1];

const cases = [];
for (const name of ['one-server-day', 'four-servers-day', 'busy-day']) {
  const file = `${folder}${name}.yaml`;
  const loaded = await openScenario(file);
  const { wall: first } = await timed(loaded, DAY);
  for (let i = 1; i < WARM_UPS; i++) await timed(loaded, DAY);
  const walls = [];
  const cpus = [];
  const ratios = [];
  for (let i = 0; i < RUNS; i++) {
    const calibration = calibrate();
    const one = await timed(loaded, DAY);
    walls.push(one.wall);
    cpus.push(one.cpu);
    ratios.push(one.cpu / calibration);
    calibrations.push(calibration);
  }
  const wall = median(walls);
  const month = (await timed(loaded, LONG * DAY)).wall / LONG;
  const before = performance.now();
  const cold = spawnSync(process.execPath, [`${root}bin/escapement.js`, 'run', file, '--json'], { encoding: 'utf8' });
  if (cold.status !== 0) throw new Error(`escapement run ${file} failed: ${cold.stderr}`);
  const whole = (performance.now() - before) / 1000;
  cases.push({
    name,
    simulatedPerWall: DAY / wall,
    wall,
    wallMin: Math.min(...walls),
    wallMax: Math.max(...walls),
    cpu: median(cpus),
    cpuMin: Math.min(...cpus),
    calibrations: median(ratios),
    wallPerDayOf30: month,
    coldFirstDay: first,
    coldProcess: whole,
    ...(PEER[name] && { peerWall: PEER[name], timesFasterThanPeer: PEER[name] / wall }),
  });
}

/** Processor time of the four-server day with more and more of something: it should grow along a straight line. */
async function growth(what, sizes, change) {
  const loaded = await openScenario(`${folder}four-servers-day.yaml`);
  const costs = [];
  for (const size of sizes) {
    const { duration = DAY, ...scenario } = change(loaded.scenario, size);
    const larger = { ...loaded, scenario };
    await timed(larger, duration);
    const runs = [];
    for (let i = 0; i < 5; i++) runs.push((await timed(larger, duration)).cpu);
    costs.push(Math.min(...runs));
  }
  const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(sizes), mean(costs)];
  const slope =
    sizes.reduce((sum, size, i) => sum + (size - x) * (costs[i] - y), 0) /
    sizes.reduce((sum, size) => sum + (size - x) ** 2, 0);
  const [a, b, c] = sizes.slice(-3).map((size, i) => [size, costs.slice(-3)[i]]);
  // 1 where the last step costs as much for each as the step before.
  const bend = (c[1] - b[1]) / (c[0] - b[0]) / ((b[1] - a[1]) / (b[0] - a[0]));
  return { what, sizes, costs, slope, bend };
}

const copies = (list, n) => Array.from({ length: n }, (_, i) => ({ ...list[i % list.length], name: `n${i}` }));
const slopes = [
  await growth('day', [1, 2, 4, 8], (scenario, n) => ({ ...scenario, duration: n * DAY })),
  await growth('server', [1, 2, 4, 8], (scenario, n) => ({
    ...scenario,
    duration: DAY,
    world: { ...scenario.world, servers: copies(scenario.world.servers, n) },
  })),
  await growth('pipeline', [1, 2, 4, 8], (scenario, n) => ({
    ...scenario,
    duration: DAY,
    pipelines: copies(scenario.pipelines, n),
  })),
];

const start = performance.now();
spawnSync(process.execPath, [`${root}bin/escapement.js`, '--help']);
const help = (performance.now() - start) / 1000;
const calibration = { median: median(calibrations), min: Math.min(...calibrations) };
const result = { node: process.version, warmUps: WARM_UPS, runs: RUNS, calibration, cases, slopes, help };

if (json) {
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
} else {
  console.log(
    'A simulated day: one clock, NTP at 64 s polls through the full client, a Kalman pipeline, truth at 1 Hz (without',
  );
  console.log(
    'what --json adds on how pipelines behave). busy-day: five servers, all noises, temperature, faults all day.',
  );
  console.log(`Median of ${RUNS} runs after ${WARM_UPS} warm-ups in one process; no file output.`);
  console.log(
    `One calibration loop (see bench/run.js) took ${(calibration.median * 1000).toFixed(1)} ms of processor time, ${(calibration.min * 1000).toFixed(1)} ms at best.\n`,
  );
  for (const one of cases) {
    const ms = seconds => `${(seconds * 1000).toFixed(1)} ms`;
    console.log(
      `${one.name}: ${Math.round(one.simulatedPerWall).toLocaleString('en')} simulated seconds per wall second`,
    );
    console.log(
      `  warm ${ms(one.wall)} (${ms(one.wallMin)} to ${ms(one.wallMax)}), a day of a 30-day run ${ms(one.wallPerDayOf30)}`,
    );
    console.log(
      `  processor time ${ms(one.cpu)} (at best ${ms(one.cpuMin)}), ${one.calibrations.toFixed(1)} calibration loops`,
    );
    console.log(`  first day of a cold process ${ms(one.coldFirstDay)}, the whole process ${ms(one.coldProcess)}`);
    // No measurement of the peer's exists for a day with faults.
    if (one.peerWall === undefined) {
      console.log('');
      continue;
    }
    console.log(
      one.peerWall === undefined
        ? ''
        : `  clknetsim with chronyd ${ms(one.peerWall)}: ours is ${one.timesFasterThanPeer.toFixed(1)} times as fast\n`,
    );
  }
  for (const { what, sizes, costs, slope, bend } of slopes) {
    console.log(
      `each further ${what}: ${(slope * 1000).toFixed(1)} ms of processor time (${sizes.map((size, i) => `${size}: ${(costs[i] * 1000).toFixed(0)}`).join(', ')} ms; ` +
        `the last step costs ${bend.toFixed(2)} of the one before, each)`,
    );
  }
  console.log(`escapement --help: ${(help * 1000).toFixed(0)} ms`);
}
