// npm run bench:http -- [--rate N] [--seconds N] [--json]: what GET /time costs, and what it does to the clock.
// `escapement live` measures three real chronyd that serve this machine's own clock (so its error is what it would add
// to it) and answers an open-loop generator: request k is due at k/rate whatever has become of those before it, and its
// latency counts from then (no coordinated omission). Before the minute that counts come three seconds at a tenth of the
// rate, in which both processes compile what they run; they are printed too. Printed beside: the service's processor time,
// and the same pipeline idle. Exit code 1 where a limit is broken.
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { answering, Chronyd, clear, folder, freeTcpPort, freeUdpPort, run } from './loopback.js';
import { count, parsed, positive } from './options.js';

const { values } = parsed({
  options: { rate: { type: 'string' }, seconds: { type: 'string' }, json: { type: 'boolean' } },
});
const RATE = count('--rate', values.rate ?? 10_000);
const SECONDS = positive('--seconds', values.seconds ?? 60);
/** Often, so that a 99th percentile of the pipeline's error is one of hundreds. */
const POLL = 0.25;
const CONNECTIONS = 128;
const WARMING = { rate: RATE / 10, seconds: 3 };
const LIMITS = { p99: 5e-3, ratio: 3 };
const here = fileURLToPath(new URL('.', import.meta.url));

/** The first answer that was not a time, for the message. */
let firstBad;

/** One connection that is kept, and answers one request at a time. */
class Client {
  constructor(port, done) {
    this.due = undefined;
    this.left = '';
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.setEncoding('latin1');
    this.opened = new Promise((ok, no) => this.socket.once('connect', ok).once('error', no));
    this.socket.on('error', error => done(this, error));
    this.socket.on('data', text => {
      this.left += text;
      const head = this.left.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/content-length: (\d+)/i.exec(this.left)?.[1]);
      const whole = head + 4 + length;
      if (this.left.length < whole) return;
      const ok = this.left.startsWith('HTTP/1.1 200') && this.left.includes('"synchronised":true', head);
      if (!ok && firstBad === undefined) firstBad = this.left.slice(0, 300);
      this.left = this.left.slice(whole);
      done(this, ok ? undefined : new Error('not a time'));
    });
  }

  ask(due) {
    this.due = due;
    this.socket.write('GET /time HTTP/1.1\r\nhost: localhost\r\n\r\n');
  }
}

async function generate(port, { rate, seconds }) {
  const latencies = new Float64Array(rate * seconds);
  let answered = 0;
  let errors = 0;
  let longestQueue = 0;
  const waiting = [];
  let firstWaiting = 0;
  const idle = [];
  const done = (client, error) => {
    if (client.due === undefined) return;
    if (error === undefined) latencies[answered++] = performance.now() - client.due;
    else errors += 1;
    client.due = undefined;
    if (firstWaiting < waiting.length) client.ask(waiting[firstWaiting++]);
    else idle.push(client);
  };
  const clients = Array.from({ length: CONNECTIONS }, () => new Client(port, done));
  await Promise.all(clients.map(({ opened }) => opened));
  idle.push(...clients);
  const began = performance.now();
  let next = 0;
  const total = rate * seconds;
  while (next < total) {
    const now = performance.now();
    for (; next < total && began + (1000 * next) / rate <= now; next++) {
      const due = began + (1000 * next) / rate;
      const client = idle.pop();
      if (client === undefined) waiting.push(due);
      else client.ask(due);
    }
    longestQueue = Math.max(longestQueue, waiting.length - firstWaiting);
    await sleep(1);
  }
  for (let i = 0; i < 100 && answered + errors < total; i++) await sleep(100);
  for (const { socket } of clients) socket.destroy();
  const sorted = latencies.subarray(0, answered).sort();
  const at = share => sorted[Math.min(answered - 1, Math.floor(answered * share))] / 1000;
  return {
    asked: total,
    answered,
    errors: total - answered,
    seconds: (performance.now() - began) / 1000,
    p50: at(0.5),
    p99: at(0.99),
    worst: at(1),
    longestQueue,
  };
}

const percentile = (numbers, share) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
};

/** What the pipeline and its sources said between two instants. */
async function heard(base, from, until) {
  const { pipelines, sources } = await (await fetch(`${base}/history`)).json();
  const within = points => points.filter(({ unix }) => unix > from && unix <= until);
  const errors = within(pipelines.default).map(({ offset }) => Math.abs(offset));
  const raw = Object.values(sources).flatMap(points => within(points).map(({ offset }) => offset));
  const mean = raw.reduce((sum, offset) => sum + offset, 0) / raw.length;
  return {
    rounds: errors.length,
    p99: percentile(errors, 0.99),
    rawJitter: Math.sqrt(raw.reduce((sum, offset) => sum + (offset - mean) ** 2, 0) / raw.length),
    rawP99: percentile(raw.map(Math.abs), 0.99),
  };
}

async function cpuOf(base) {
  const text = await (await fetch(`${base}/metrics`)).text();
  return Number(/^process_cpu_seconds_total (\S+)/m.exec(text)[1]);
}

const servers = [];
const failures = [];
let result;
try {
  for (let i = 0; i < 3; i++) servers.push(new Chronyd(await freeUdpPort()));
  for (const server of servers) server.start();
  const port = await freeTcpPort();
  const base = `http://127.0.0.1:${port}`;
  const file = join(folder, 'live.yaml');
  writeFileSync(
    file,
    JSON.stringify({
      name: 'load',
      world: { kind: 'real' },
      sources: {
        ntp: {
          use: 'ntp',
          servers: servers.map(server => `127.0.0.1:${server.port}`),
          poller: { use: 'fixed', interval: POLL },
        },
      },
      sinks: [{ use: 'http', port }],
    }),
  );
  const service = run(process.execPath, [join(here, '../bin/escapement.js'), 'live', file, '--quiet']);
  await answering(base, service);
  await sleep(20_000);
  const now = () => Date.now() / 1000;
  const idleFrom = now();
  const idleCpu = await cpuOf(base);
  await sleep(SECONDS * 1000);
  const idle = await heard(base, idleFrom, now());
  const idleUsed = (await cpuOf(base)) - idleCpu;
  const warming = await generate(port, WARMING);
  const loadFrom = now();
  const loadCpu = await cpuOf(base);
  const own = process.cpuUsage();
  const requests = await generate(port, { rate: RATE, seconds: SECONDS });
  const used = (await cpuOf(base)) - loadCpu;
  const { user, system } = process.cpuUsage(own);
  const loaded = await heard(base, loadFrom, now());
  result = {
    processors: cpus().length,
    load: loadavg()[0],
    warming,
    requests,
    cpuPerRequest: (used - (idleUsed * requests.seconds) / SECONDS) / requests.answered,
    serviceCores: used / requests.seconds,
    generatorCores: (user + system) / 1e6 / requests.seconds,
    idle,
    loaded,
    ratio: loaded.p99 / idle.p99,
  };
  service.kill('SIGTERM');
  await service.ended;
} catch (error) {
  failures.push(String(error?.stack ?? error));
} finally {
  clear();
}

const micro = seconds => `${(1e6 * seconds).toFixed(2)} µs`;
if (result !== undefined) {
  const { warming, requests, idle, loaded, ratio } = result;
  const errors = requests.errors + warming.errors;
  if (errors > 0)
    failures.push(`${errors} requests had no good answer${firstBad === undefined ? '' : `, the first: ${firstBad}`}`);
  if (!(requests.p99 <= LIMITS.p99)) failures.push(`p99 ${(1000 * requests.p99).toFixed(2)} ms, limit 5 ms`);
  if (!(ratio <= LIMITS.ratio)) failures.push(`the pipeline's p99 is ${ratio.toFixed(2)} × idle, limit 3`);
  if (values.json) process.stdout.write(`${JSON.stringify({ ...result, failures }, null, 2)}\n`);
  else {
    process.stdout.write(
      `${requests.asked} GET /time, ${RATE} a second for ${SECONDS} s, open loop: ${requests.errors} errors, ` +
        `p50 ${(1000 * requests.p50).toFixed(2)} ms, p99 ${(1000 * requests.p99).toFixed(2)} ms, worst ` +
        `${(1000 * requests.worst).toFixed(1)} ms, at most ${requests.longestQueue} waiting for a connection\n` +
        `before it, from cold, ${WARMING.rate} a second for ${WARMING.seconds} s: ${warming.errors} errors, p50 ` +
        `${(1000 * warming.p50).toFixed(2)} ms, p99 ${(1000 * warming.p99).toFixed(2)} ms, worst ${(1000 * warming.worst).toFixed(1)} ms\n` +
        `processor time: ${micro(result.cpuPerRequest)} a request; the service ${result.serviceCores.toFixed(2)} and the ` +
        `generator ${result.generatorCores.toFixed(2)} of ${result.processors} processors, load ${result.load.toFixed(1)}\n` +
        `the pipeline's error: p99 ${micro(idle.p99)} idle, ${micro(loaded.p99)} under load (${ratio.toFixed(2)} ×), ` +
        `${idle.rounds} and ${loaded.rounds} rounds\n` +
        `raw offsets: jitter ${micro(idle.rawJitter)} idle, ${micro(loaded.rawJitter)} under load; p99 ` +
        `${micro(idle.rawP99)} and ${micro(loaded.rawP99)}\n`,
    );
  }
}
for (const failure of failures) process.stderr.write(`broken: ${failure}\n`);
process.exitCode = failures.length === 0 ? 0 : 1;
