// npm run bench:timestamps -- [--questions N] [--json]: what kernel stamps are worth. Questions go to an echo in a thread of
// its own on loopback, which shares our clock and says when it had them and when it answered; so every stamp of ours has
// a truth beside it. Once with an idle main thread and once with one that is busy for up to 10 ms at a time, with the
// arrivals stamped by the kernel and by the process. Linux only.

import { createSocket } from 'node:dgram';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { LinuxSockets, SystemClock, UdpNetwork } from '../dist/bench.js';

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
  const quantiles = Object.fromEntries(
    Object.entries(late).map(([name, values]) => {
      values.sort((a, b) => a - b);
      return [name, { p50: values[Math.floor(values.length / 2)], p99: values[Math.floor(values.length * 0.99)] }];
    }),
  );
  return { stamps, busy, questions, ...quantiles };
}

if (isMainThread) {
  const { values } = parseArgs({
    options: { questions: { type: 'string', default: '500' }, json: { type: 'boolean' } },
  });
  const worker = new Worker(new URL(import.meta.url));
  const peer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  const rows = [];
  for (const busy of [false, true]) {
    for (const stamps of ['process', 'kernel']) rows.push(await measure(stamps, busy, Number(values.questions), peer));
  }
  await worker.terminate();
  if (values.json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
  else {
    const us = ({ p50, p99 }) => `${(p50 * 1e6).toFixed(1)} / ${(p99 * 1e6).toFixed(1)}`.padStart(18);
    console.log(`µs, median / 99 %       T1 is early         T4 is late    error of offset              delay`);
    for (const row of rows) {
      const name = `${row.busy ? 'busy' : 'idle'}, by the ${row.stamps}`;
      console.log(`${name.padEnd(21)}${us(row.sent)} ${us(row.arrived)} ${us(row.offset)} ${us(row.delay)}`);
    }
  }
} else echo();
