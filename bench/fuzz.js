// npm run bench:fuzz -- [--datagrams N] [--seed S] [--json]: N hostile datagrams at clients' ports (a third each at a plain
// one, one with NTS, one with a symmetric key) and N at the NTP server's (half of them with a limit for each client, from
// ever new addresses), over real sockets on loopback: noise, cut and altered packets, replays, kisses that prove nothing,
// answers sealed with other keys, all of which tell a time that is 1000 s off. Who attacks the plain client has not seen
// its question (else nothing could tell him from the server); who attacks the others has. Exits with 1 where something of
// it was taken for an answer, a true answer was lost to it, the server answered with more than it was asked with, or
// memory grew. (What crashes ends the script.)
import { createCipheriv, createHash } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  Association,
  authenticate,
  extensionField,
  joined,
  NtpServer,
  NtsCredentials,
  RateLimiter,
  RealtimeScheduler,
  readExtensions,
  respond,
  SymmetricKeyCredentials,
  SystemClock,
  UdpNetwork,
  withMac,
} from '../dist/bench.js';
import { count, parsed } from './options.js';

const { values } = parsed({
  options: {
    datagrams: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean' },
  },
});
const DATAGRAMS = count('--datagrams', values.datagrams);
/** Hostile datagrams to one question, before its true answer. */
const VOLLEY = 100;
/** What the liars are off by, seconds; and what no true answer on loopback is. */
const LIE = 1000;
const FAR = 10;
/** How much the heap may have grown between a tenth of the way and the end, MiB. */
const GROWTH = 4;
const UNIQUE_IDENTIFIER = 0x0104;
const COOKIE = 0x0204;
const PLACEHOLDER = 0x0304;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
function memory() {
  collect();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { heap: (heapUsed + arrayBuffers) / 2 ** 20, rss: rss / 2 ** 20 };
}

/** Random bytes that are the same for the same seed: AES in counter mode. */
const stream = createCipheriv('aes-128-ctr', createHash('md5').update(values.seed).digest(), Buffer.alloc(16));
const noise = length => stream.update(Buffer.alloc(length));
const below = limit => (limit < 1 ? 0 : noise(4).readUInt32LE(0) % limit);
const flipped = bytes => {
  const copy = Buffer.from(bytes);
  copy[below(copy.length)] ^= 1 << below(8);
  return copy;
};

const clock = new SystemClock({ through: 'auto' });
const epoch = Number(clock.epoch / 1_000_000_000n);
const random = {
  uint32: () => crypto.getRandomValues(new Uint32Array(1))[0],
  uniform: () => crypto.getRandomValues(new Uint32Array(1))[0] / 2 ** 32,
};
const STATE = { leap: 0, stratum: 2, precision: -20, rootDelay: 0, rootDispersion: 0, referenceId: 0x7f000001 };
const header = (question, off, change = {}) => {
  const time = clock.read().wall + off;
  return respond(question.subarray(0, 48), { ...STATE, ...change }, time, time, epoch);
};
const kiss = code => ({ stratum: 0, leap: 3, referenceId: Buffer.from(code).readUInt32BE(0) });

/** How each kind of client proves itself: its credentials, and what the true server and a liar make of a question. */
const KINDS = {
  plain: {
    credentials: () => undefined,
    answer: (question, off) => header(question, off),
    // The liar guesses the origin.
    blind: true,
  },
  key: (() => {
    const mac = secret => bytes => createHash('sha256').update(secret).update(bytes).digest().subarray(0, 20);
    const [mine, other] = ['the key', 'another'].map(secret => ({ id: 7, mac: mac(secret) }));
    return {
      credentials: () => new SymmetricKeyCredentials(mine),
      answer: (question, off, change, known = true) => withMac(header(question, off, change), known ? mine : other),
      blind: false,
    };
  })(),
  nts: (() => {
    const [c2s, s2c, other] = [1, 2, 3].map(seed => new Uint8Array(32).fill(seed));
    const cookie = () => noise(100);
    return {
      credentials: to =>
        new NtsCredentials({
          name: 'nts',
          establish: async () => ({
            c2s,
            s2c,
            cookies: Array.from({ length: 8 }, cookie),
            server: { host: 'nts', port: 1 },
          }),
          resolve: () => [to],
          random,
          now: () => clock.read().counter,
          report: () => {},
        }),
      answer: (question, off, change, known = true) => {
        const fields = readExtensions(question);
        const identifier = fields.find(({ type }) => type === UNIQUE_IDENTIFIER).body;
        const wanted = fields.filter(({ type }) => type === COOKIE || type === PLACEHOLDER).length;
        const clear = joined([header(question, off, change), extensionField(UNIQUE_IDENTIFIER, identifier)]);
        const secret = joined(Array.from({ length: wanted }, () => extensionField(COOKIE, cookie())));
        return joined([clear, authenticate(known ? s2c : other, clear, noise(16), secret)]);
      },
      blind: false,
    };
  })(),
};

/** One hostile datagram: whatever it is made of, its time is off, and its author does not have the key. */
function hostile(kind, question, good, earlier) {
  const asked = kind.blind ? joined([question.subarray(0, 40), noise(8), question.subarray(48)]) : question;
  const lie = change => header(asked, LIE, change);
  switch (below(12)) {
    case 0:
      return noise(below(700));
    case 1:
      return joined([noise(1 + below(3)).fill(0x24), noise(below(200))]);
    case 2:
      return kind.blind ? lie() : good.subarray(0, below(good.length));
    case 3:
      return kind.blind ? flipped(lie()) : flipped(good);
    case 4:
      return earlier.length > 0 ? earlier[below(earlier.length)] : lie();
    case 5:
      return lie();
    case 6:
      return joined([lie(), noise(4 * below(100))]);
    case 7:
      return kind.blind ? lie(kiss('RATE')) : lie(kiss(['RATE', 'DENY', 'RSTR', 'NTSN'][below(4)]));
    case 8:
      return kind.blind ? lie(kiss('DENY')) : kind.answer(question, LIE, {}, false);
    case 9:
      return kind.blind ? joined([lie(), Buffer.alloc(4)]) : joined([lie(kiss('NTSN')), good.subarray(48, 48 + 36)]);
    case 10:
      return question;
    default:
      return joined([lie(), good.subarray(48)]);
  }
}

/** Attacks one client until it has been sent so many hostile datagrams. */
async function attackClient(name, datagrams) {
  const kind = KINDS[name];
  const scheduler = new RealtimeScheduler(clock);
  const network = new UdpNetwork({ stamps: 'auto' }, () => {}).connect(clock);
  const [server, stranger] = [createSocket('udp4'), createSocket('udp4')];
  await new Promise(resolve => server.bind(0, '127.0.0.1', resolve));
  const to = { address: '127.0.0.1', port: server.address().port };
  let sent = 0;
  const earlier = [];
  server.on('message', (question, from) => {
    const good = Buffer.from(kind.answer(question, 0));
    const send = (bytes, by = server) => by.send(bytes, from.port, from.address, () => {});
    const volley = left => {
      for (let i = 0; i < Math.min(20, left); i++) {
        send(hostile(kind, question, good, earlier), below(10) === 0 ? stranger : server);
        sent += 1;
      }
      // In small lots, so that the receiver's buffer holds them.
      if (left > 20) setImmediate(volley, left - 20);
      else {
        send(good);
        earlier.push(good);
        if (earlier.length > 50) earlier.shift();
      }
    };
    volley(VOLLEY);
  });
  const association = new Association(
    name,
    `fuzz/${name}`,
    { host: to.address, port: to.port },
    { kind: 'real', clock, network, scheduler, random: () => random, epoch },
    { next: () => 1e-3 },
    { timeout: 5, maxDistance: 1.5 },
    kind.credentials(to),
  );
  const result = { port: `client, ${name}`, datagrams: 0, answers: 0, forged: 0, failures: {} };
  let early;
  association.events.subscribe(event => {
    if (event.type === 'failure') {
      const { reason } = event.failure;
      result.failures[reason] = (result.failures[reason] ?? 0) + 1;
    } else {
      const { sent: t1, arrived, receive, transmit } = event.exchange;
      const offset = (receive - t1.wall + transmit - arrived.wall) / 2;
      if (Math.abs(offset) > FAR) result.forged += 1;
      else result.answers += 1;
    }
    if (early === undefined && sent >= datagrams / 10) early = memory();
    if (sent >= datagrams) scheduler.stop();
  });
  association.start();
  await scheduler.run(Number.POSITIVE_INFINITY);
  association.stop();
  server.close();
  stranger.close();
  const late = memory();
  result.dropped = Object.values(association.drops).reduce((a, b) => a + b, 0);
  result.drops = association.drops;
  return { ...result, datagrams: sent, grown: late.heap - early.heap, rss: late.rss };
}

/** A socket of an address that nobody has had before (Linux answers to all of 127/8). */
async function stranger() {
  const [a, b, c] = noise(3);
  const socket = createSocket('udp4');
  const address = process.platform === 'linux' ? `127.${a}.${b}.${1 + (c % 254)}` : '127.0.0.1';
  await new Promise(resolve => socket.bind(0, address, resolve));
  return socket;
}

/**
 * Attacks the NTP server, open or with a limit for each client; every hundredth datagram is a true question of somebody
 * who has not asked before, which has to be answered.
 */
async function attackServer(datagrams, limited) {
  const limits = { every: 1, burst: 4, leak: 2, clients: 1000 };
  const server = await NtpServer.listen({
    address: '127.0.0.1',
    port: 0,
    state: () => STATE,
    now: () => clock.read().wall,
    epoch,
    ...(limited && { limiter: new RateLimiter(limits, random.uniform) }),
  });
  const { port } = server.endpoint;
  const result = {
    port: limited ? 'server, limited' : 'server, open',
    datagrams: 0,
    answers: 0,
    forged: 0,
    failures: {},
  };
  const failed = reason => {
    result.failures[reason] = (result.failures[reason] ?? 0) + 1;
  };
  let replies = 0;
  let answered;
  let nonce;
  let longest = 0;
  const heard = bytes => {
    replies += 1;
    if (bytes.length > longest) failed('an answer longer than its question');
    if (nonce !== undefined && bytes.subarray(24, 32).equals(nonce)) answered?.();
  };
  const question = () => {
    const bytes = Buffer.alloc(48);
    bytes[0] = 0x23;
    noise(8).copy(bytes, 40);
    return bytes;
  };
  const junk = () => {
    switch (below(6)) {
      case 0:
        return noise(below(700));
      case 1:
        return question().subarray(0, below(48));
      case 2:
        return flipped(question());
      case 3:
        return joined([question(), noise(4 * below(100))]);
      case 4:
        return joined([noise(1).fill(below(256)), noise(47 + below(20))]);
      default:
        return header(question(), LIE);
    }
  };
  const send = (bytes, by) => {
    longest = Math.max(longest, bytes.length);
    by.send(bytes, port, '127.0.0.1', () => {});
  };
  let early;
  while (result.datagrams < datagrams) {
    longest = 0;
    const [attacker, client] = [await stranger(), await stranger()];
    for (const socket of [attacker, client]) socket.on('message', heard);
    for (let i = 0; i < VOLLEY; i += 20) {
      for (let j = 0; j < 20; j++) send(junk(), attacker);
      await new Promise(resolve => setImmediate(resolve));
    }
    result.datagrams += VOLLEY;
    const asked = question();
    nonce = asked.subarray(40, 48);
    let timer;
    const came = await new Promise(resolve => {
      answered = () => resolve(true);
      send(asked, client);
      timer = setTimeout(resolve, 5000, false);
    });
    clearTimeout(timer);
    attacker.close();
    client.close();
    if (came) result.answers += 1;
    else failed('a true question without an answer');
    if (early === undefined && result.datagrams >= datagrams / 10) early = memory();
  }
  server.close();
  const late = memory();
  return {
    ...result,
    dropped: result.datagrams + result.answers - replies,
    grown: late.heap - early.heap,
    rss: late.rss,
  };
}

const before = process.cpuUsage();
const rows = [];
for (const name of ['plain', 'key', 'nts']) rows.push(await attackClient(name, DATAGRAMS / 3));
for (const limited of [false, true]) rows.push(await attackServer(DATAGRAMS / 2, limited));
const { user, system } = process.cpuUsage(before);
const broken = rows.filter(
  ({ forged, failures, grown, dropped, answers }) =>
    forged > 0 || Object.keys(failures).length > 0 || grown > GROWTH || dropped === 0 || answers === 0,
);
if (values.json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
else {
  console.log('port             datagrams   dropped  true answers  forged  failures  heap grew by, MiB   RSS, MiB');
  for (const { port, datagrams, dropped, answers, forged, failures, grown, rss } of rows) {
    const failed = Object.values(failures).reduce((a, b) => a + b, 0);
    console.log(
      `${port.padEnd(15)}${String(datagrams).padStart(11)}${String(dropped).padStart(10)}${String(answers).padStart(14)}` +
        `${String(forged).padStart(8)}${String(failed).padStart(10)}${grown.toFixed(2).padStart(20)}${rss.toFixed(0).padStart(11)}`,
    );
    for (const [reason, times] of Object.entries(failures)) console.log(`  ${times} × ${reason}`);
  }
  console.log(`${((user + system) / 1e6).toFixed(0)} s of CPU, seed ${values.seed}`);
}
if (broken.length > 0) process.exitCode = 1;
