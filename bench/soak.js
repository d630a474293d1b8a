// npm run bench:soak -- [--short] [--idle SECONDS] [--json]: `escapement live` against three real chronyd and a server
// of ours that lies by 100 ms, all on loopback and all serving this machine's own clock. So the truth is known: it is
// CLOCK_REALTIME, and what the service would add to it is its error. Disturbances: servers killed and started again, all
// three of them at once, the processors filled, the service stopped by SIGSTOP, its wall clock stepped (in its own eyes
// only). Exit code 1 where a limit is broken. --short: seconds instead of minutes, and only what must hold on any
// machine: no crash, bounds true, liar named.
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { NtpServer, SystemClock } from '../dist/bench.js';
import { answering, Chronyd, clear, folder, freeTcpPort, freeUdpPort, run } from './loopback.js';
import { parsed, positive } from './options.js';

const { values } = parsed({
  options: {
    short: { type: 'boolean' },
    json: { type: 'boolean' },
    idle: { type: 'string' },
    seconds: { type: 'string' },
  },
});
const here = fileURLToPath(new URL('.', import.meta.url));

const LIE = 0.1;
const STEP = 10;
const POLL = values.short ? 0.5 : 2;
const SETTLE = values.short ? 4 : 60;
const IDLE = positive('--idle', values.idle ?? (values.short ? 3 : 600));
/** How long a disturbance lasts, and how long is looked afterwards, seconds. */
const DISTURBED = positive('--seconds', values.seconds ?? (values.short ? 2.5 : 30));
const AFTER = values.short ? 2 : 30;
/** A look at the service so often, milliseconds. */
const LOOK = values.short ? 100 : 200;

/** The limits, seconds, and polls. */
const LIMITS = { idle: 200e-6, p99: 300e-6, worst: 2e-3, back: 200e-6, polls: 5 };

const clock = new SystemClock({ through: 'auto' });
const epoch = Number(clock.epoch / 1_000_000_000n);
const say = text => {
  if (!values.json) process.stdout.write(`${text}\n`);
};
const micro = seconds => (seconds === undefined ? '–' : `${(1e6 * seconds).toFixed(1)} µs`);

/** One disturbance: what was seen of the service during it and afterwards. */
class Phase {
  constructor(name) {
    this.name = name;
    this.samples = [];
    this.violations = 0;
    this.liarSeen = 0;
    this.liarNamed = 0;
    this.unnamed = '';
  }

  summary() {
    const sizes = this.samples.map(({ error }) => Math.abs(error)).sort((a, b) => a - b);
    const over = this.endedAt === undefined ? [] : this.samples.filter(({ at }) => at >= this.endedAt);
    const lastBad = over.findLast(({ error }) => Math.abs(error) > LIMITS.back);
    const widths = this.samples.map(({ maxError }) => maxError);
    return {
      phase: this.name,
      samples: sizes.length,
      p50: sizes[sizes.length >> 1],
      p99: sizes[Math.min(sizes.length - 1, Math.ceil(sizes.length * 0.99) - 1)],
      worst: sizes.at(-1),
      recoveryPolls: this.endedAt === undefined ? 0 : lastBad === undefined ? 0 : (lastBad.at - this.endedAt) / POLL,
      widestBound: Math.max(...widths),
      boundViolations: this.violations,
      liarNamed: this.liarSeen === 0 ? null : this.liarNamed / this.liarSeen,
      ...(this.unnamed !== '' && { unnamed: this.unnamed }),
    };
  }
}

let phase;
let step = 0;
/** What is asked while the wall clock is being stepped may be answered before it or after it. */
let stepping = false;
let base;
let liarName;
let looking = true;

async function look() {
  while (looking) {
    const current = phase;
    const before = step;
    const wasStepping = stepping;
    try {
      const status = await (await fetch(`${base}/status`, { headers: { connection: 'close' } })).json();
      const { now } = status.pipelines[0];
      if (phase !== undefined && current === phase && before === step && !wasStepping && !stepping) {
        const error = now.offset + step;
        phase.samples.push({ at: performance.now() / 1000, error, maxError: now.maxError });
        if (!(Math.abs(error) <= now.maxError)) phase.violations += 1;
        const liar = status.sources.find(({ name }) => name === liarName);
        phase.liarSeen += 1;
        if (liar?.standing === 'falseticker') phase.liarNamed += 1;
        else phase.unnamed = `${liar?.standing}: ${liar?.reason}`;
      }
    } catch (error) {
      if (looking) failures.push(String(error));
    }
    await sleep(LOOK);
  }
}

const failures = [];
const results = [];

async function disturb(name, disturbance, after = AFTER) {
  phase = new Phase(name);
  await disturbance();
  phase.endedAt = performance.now() / 1000;
  await sleep(1000 * after);
  const summary = phase.summary();
  phase = undefined;
  results.push(summary);
  const { samples, p50, p99, worst, recoveryPolls, widestBound, boundViolations, liarNamed } = summary;
  say(
    `${name.padEnd(34)} ${String(samples).padStart(5)} looks  p50 ${micro(p50).padStart(9)}  p99 ${micro(p99).padStart(10)}  ` +
      `worst ${micro(worst).padStart(10)}  back after ${recoveryPolls.toFixed(1)} polls  ` +
      `bound ≤ ${micro(widestBound)}, broken ${boundViolations} ×  liar named ${(100 * (liarNamed ?? 0)).toFixed(1)} %`,
  );
}

async function main() {
  const servers = [];
  for (let i = 0; i < 3; i++) servers.push(new Chronyd(await freeUdpPort()));
  for (const server of servers) server.start();
  const liar = await NtpServer.listen({
    address: '127.0.0.1',
    port: 0,
    epoch,
    state: () => ({
      leap: 0,
      stratum: 8,
      precision: -22,
      rootDelay: 0,
      rootDispersion: 1e-5,
      referenceId: 0x7f7f0101,
    }),
    now: () => clock.read().wall + LIE,
  });
  liarName = `127.0.0.1:${liar.endpoint.port}`;
  const port = await freeTcpPort();
  base = `http://127.0.0.1:${port}`;
  const file = join(folder, 'live.yaml');
  const names = [...servers.map(server => `127.0.0.1:${server.port}`), liarName];
  writeFileSync(
    file,
    JSON.stringify({
      name: 'soak',
      world: { kind: 'real', clock: 'steppable' },
      sources: {
        ntp: { use: 'ntp', servers: names, timeout: Math.min(1, POLL / 2), poller: { use: 'fixed', interval: POLL } },
      },
      sinks: [{ use: 'http', port }],
    }),
  );
  const service = run(process.execPath, [
    join(here, '../bin/escapement.js'),
    ...['live', file, '--quiet', '--plugin', join(here, 'steppable-clock.js')],
  ]);
  service.ended.then(({ code, signal }) => {
    if (looking) failures.push(`the service ended: ${code ?? signal}: ${service.log}`);
  });
  await answering(base, service);
  say(
    `three chronyd and a liar by ${1000 * LIE} ms, a question each every ${POLL} s; ${cpus().length} processors, load ` +
      `${loadavg()[0].toFixed(1)} at the start`,
  );
  const watching = look();
  await sleep(1000 * SETTLE);

  await disturb('idle', () => sleep(1000 * IDLE), 0);
  await disturb('one server killed, started again', async () => {
    await servers[0].kill();
    await sleep(1000 * DISTURBED);
    servers[0].start();
  });
  await disturb('all three killed, started again', async () => {
    for (const server of servers) await server.kill();
    await sleep(1000 * DISTURBED);
    for (const server of servers) server.start();
  });
  await disturb('processors filled', async () => {
    const busy = cpus().flatMap(() => [0, 1].map(() => run(process.execPath, ['-e', 'for (;;);'])));
    await sleep(1000 * DISTURBED);
    for (const child of busy) child.kill('SIGKILL');
    await Promise.all(busy.map(child => child.ended));
  });
  await disturb('stopped by SIGSTOP', async () => {
    service.kill('SIGSTOP');
    await sleep(1000 * DISTURBED);
    service.kill('SIGCONT');
  });
  const stepTo = async (to, name) => {
    await disturb(name, async () => {
      stepping = true;
      service.kill('SIGUSR2');
      await sleep(2 * LOOK);
      step = to;
      stepping = false;
      await sleep(1000 * DISTURBED);
    });
  };
  await stepTo(STEP, `wall clock stepped by ${STEP} s`);
  await stepTo(0, 'and back');

  const events = (await (await fetch(`${base}/status`)).json()).events.map(({ part, what }) => `${part}: ${what}`);
  looking = false;
  await watching;
  service.kill('SIGTERM');
  const { code } = await service.ended;
  if (code !== 0) failures.push(`the service ended with ${code}: ${service.log}`);
  liar.close();
  return events;
}

let events = [];
try {
  events = await main();
} catch (error) {
  failures.push(String(error?.stack ?? error));
} finally {
  looking = false;
  clear();
}

const broken = [...failures];
for (const { phase: name, samples, p99, worst, recoveryPolls, boundViolations, liarNamed, unnamed } of results) {
  const limit = (holds, text) => {
    if (!holds) broken.push(`${name}: ${text}`);
  };
  limit(samples > 0, 'nothing was seen of the service');
  limit(boundViolations === 0, `the maximum error was too small ${boundViolations} times`);
  limit(liarNamed === 1, `the liar was not always named a falseticker (${unnamed})`);
  if (values.short) continue;
  if (name === 'idle') limit(worst <= LIMITS.idle, `worst ${micro(worst)}, limit ${micro(LIMITS.idle)}`);
  limit(p99 <= LIMITS.p99, `p99 ${micro(p99)}, limit ${micro(LIMITS.p99)}`);
  limit(worst <= LIMITS.worst, `worst ${micro(worst)}, limit ${micro(LIMITS.worst)}`);
  limit(recoveryPolls <= LIMITS.polls, `within ${micro(LIMITS.back)} after ${recoveryPolls.toFixed(1)} polls, limit 5`);
}
if (values.json) process.stdout.write(`${JSON.stringify({ results, events, broken }, null, 2)}\n`);
else {
  say('\nEvents:');
  for (const event of events) say(`  ${event}`);
  say(`\nLoad ${loadavg()[0].toFixed(1)} at the end.`);
  say(broken.length === 0 ? 'Every limit holds.' : `Broken:\n  ${broken.join('\n  ')}`);
}
process.exitCode = broken.length === 0 ? 0 : 1;
