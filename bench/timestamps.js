// npm run bench:timestamps -- [--questions N] [--json]: what kernel stamps are worth. Questions go to an echo in a thread of
// its own on loopback, which shares our clock and says when it had them and when it answered; so every stamp of ours has
// a truth beside it. Once with an idle main thread and once with one that is busy for up to 10 ms at a time, with the
// arrivals stamped by the kernel and by the process. Then the other half, the NTP server: it answers from the main thread,
// idle and busy, the questions of a client in another thread, whose own stamps are the kernel's. Linux only.

import { createSocket } from 'node:dgram';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import {
  decodePacket,
  encodePacket,
  fromTimestamp,
  LinuxSockets,
  NtpServer,
  requestPacket,
  SystemClock,
  UdpNetwork,
} from '../dist/bench.js';
import { count, parsed } from './options.js';

/** Longest that the busy thread does not look at its sockets, milliseconds. */
const BUSY = 10;

/** Answers with the kernel's stamp of the question's arrival and the time of departure, as doubles after the bytes. */
function echo() {
  const kernel = LinuxSockets.load();
  const fd = kernel.open(4, '127.0.0.1');
  const socket = createSocket('udp4');
  socket.on('message', (bytes, from) => {
    const reply = Buffer.alloc(bytes.length + 16);
    bytes.copy(reply);
    reply.writeDoubleLE(kernel.stamp(fd), bytes.length);
    const to = kernel.endpoint(from.address, from.port);
    reply.writeDoubleLE(kernel.now().realtime, bytes.length + 8);
    kernel.send(fd, reply, to);
  });
  socket.bind({ fd });
  parentPort.postMessage({ port: socket.address().port, origin: kernel.origin.realtime });
}

/** Asks a server that shares our clock, and says how late it found each question and how early it dated each answer. */
async function ask({ port, questions }) {
  const clock = new SystemClock({ through: 'koffi' });
  const epoch = Number(clock.epoch / 1_000_000_000n);
  const network = new UdpNetwork({ stamps: 'kernel' }, () => {}).connect(clock);
  const late = { received: [], transmitted: [], offset: [], delay: [] };
  for (let i = 0; i < questions; i++) {
    const socket = network.open('bench');
    const answer = new Promise((resolve, reject) => socket.received.subscribe({ next: resolve, error: reject }));
    const question = encodePacket(requestPacket({ seconds: i, fraction: 1 }));
    const sent = socket.send(question, { address: '127.0.0.1', port }).wall;
    const { bytes, at } = await answer;
    socket.close();
    const { receive, transmit } = decodePacket(bytes);
    const [received, transmitted] = [receive, transmit].map(stamp => fromTimestamp(stamp, epoch, at.wall));
    late.received.push(received - sent);
    late.transmitted.push(at.wall - transmitted);
    late.offset.push(Math.abs(received - sent + transmitted - at.wall) / 2);
    late.delay.push(at.wall - sent - (transmitted - received));
    await new Promise(resolve => setTimeout(resolve, 2 + (i % 7)));
  }
  parentPort.postMessage(late);
}

async function serve(stamps, busy, questions) {
  const clock = new SystemClock({ through: 'koffi' });
  const server = await NtpServer.listen({
    address: '127.0.0.1',
    port: 0,
    epoch: Number(clock.epoch / 1_000_000_000n),
    now: () => clock.read().wall,
    state: () => ({ leap: 0, stratum: 1, precision: -20, rootDelay: 0, rootDispersion: 0, referenceId: 0 }),
    ...(stamps === 'process' && { stamps }),
  });
  let ended = false;
  let turn = 0;
  const work = () => {
    const until = performance.now() + ((turn++ * 0.6180339887498949) % 1) * BUSY;
    while (performance.now() < until);
    if (!ended) setImmediate(work);
  };
  if (busy) work();
  const worker = new Worker(new URL(import.meta.url), { workerData: { port: server.endpoint.port, questions } });
  const late = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  ended = true;
  await worker.terminate();
  server.close();
  return { server: true, stamps, busy, questions, ...quantiles(late) };
}

function quantiles(late) {
  return Object.fromEntries(
    Object.entries(late).map(([name, values]) => {
      values.sort((a, b) => a - b);
      return [name, { p50: values[Math.floor(values.length / 2)], p99: values[Math.floor(values.length * 0.99)] }];
    }),
  );
}

async function measure(stamps, busy, questions, { port, origin }) {
  const clock = new SystemClock({ through: 'koffi' });
  const network = new UdpNetwork({ stamps }, () => {}).connect(clock);
  // Seconds of the echo's stamps at which our wall clock reads 0.
  const zero = Number(clock.epoch / 1_000_000_000n) - origin;
  const late = { sent: [], arrived: [], offset: [], delay: [] };
  for (let i = 0; i < questions; i++) {
    const socket = network.open('bench');
    const answer = new Promise((resolve, reject) => socket.received.subscribe({ next: resolve, error: reject }));
    const sent = socket.send(new Uint8Array(48), { address: '127.0.0.1', port }).wall;
    if (busy) {
      // Busy for up to so long; even over 0 to BUSY, the same every time.
      const until = performance.now() + ((i * 0.6180339887498949) % 1) * BUSY;
      while (performance.now() < until);
    }
    const { bytes, at } = await answer;
    socket.close();
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const received = view.getFloat64(bytes.length - 16, true) - zero;
    const transmitted = view.getFloat64(bytes.length - 8, true) - zero;
    late.sent.push(received - sent);
    late.arrived.push(at.wall - transmitted);
    late.offset.push(Math.abs(received - sent + transmitted - at.wall) / 2);
    late.delay.push(at.wall - sent - (transmitted - received));
    await new Promise(resolve => setTimeout(resolve, 2));
  }
  return { stamps, busy, questions, ...quantiles(late) };
}

if (isMainThread) {
  const { values } = parsed({
    options: { questions: { type: 'string', default: '500' }, json: { type: 'boolean' } },
  });
  const worker = new Worker(new URL(import.meta.url));
  const peer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  const rows = [];
  for (const busy of [false, true]) {
    for (const stamps of ['process', 'kernel'])
      rows.push(await measure(stamps, busy, count('--questions', values.questions), peer));
  }
  await worker.terminate();
  const served = [];
  for (const busy of [false, true]) {
    for (const stamps of ['process', 'kernel'])
      served.push(await serve(stamps, busy, count('--questions', values.questions)));
  }
  if (values.json) process.stdout.write(`${JSON.stringify([...rows, ...served], null, 2)}\n`);
  else {
    const us = ({ p50, p99 }) => `${(p50 * 1e6).toFixed(1)} / ${(p99 * 1e6).toFixed(1)}`.padStart(18);
    console.log(`µs, median / 99 %       T1 is early         T4 is late    error of offset              delay`);
    for (const row of rows) {
      const name = `${row.busy ? 'busy' : 'idle'}, by the ${row.stamps}`;
      console.log(`${name.padEnd(21)}${us(row.sent)} ${us(row.arrived)} ${us(row.offset)} ${us(row.delay)}`);
    }
    console.log(`\nour NTP server              T2 is late        T3 is early    error of offset              delay`);
    for (const row of served) {
      const name = `${row.busy ? 'busy' : 'idle'}, by the ${row.stamps}`;
      console.log(`${name.padEnd(21)}${us(row.received)} ${us(row.transmitted)} ${us(row.offset)} ${us(row.delay)}`);
    }
  }
} else if (workerData == null) echo();
else await ask(workerData);
