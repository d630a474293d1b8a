import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import type { Datagram, DatagramSocket, Network } from '../../../src/core/contracts/index.js';
import { SystemClock } from '../../../src/plugins/clocks/system.js';
import { UdpNetwork } from '../../../src/plugins/networks/udp.js';
import { whyNoIpv6 } from '../../support/ipv6.js';
import { type UdpPeer, udpPeer } from '../../support/udp-peer.js';

const clock = new SystemClock({ through: 'auto' });
const network: Network = new UdpNetwork({ stamps: 'auto' }, () => {}).connect(clock);
const bytes = Uint8Array.from({ length: 48 }, (_, index) => index);

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

function open(): DatagramSocket {
  const socket = network.open('test');
  opened.push(socket);
  return socket;
}

async function echo(address?: '127.0.0.1' | '::1'): Promise<UdpPeer> {
  const peer = await udpPeer((bytes, from, socket) => socket.send(bytes, from.port, from.address), address);
  opened.push(peer);
  return peer;
}

function first(socket: DatagramSocket): Promise<Datagram> {
  return new Promise((resolve, reject) => socket.received.subscribe({ next: resolve, error: reject }));
}

const noIpv6 = whyNoIpv6();

describe.each(['127.0.0.1', '::1'] as const)('on %s (IPv6 fails in CI where it is missing)', address => {
  if (address === '::1' && noIpv6 !== undefined) {
    test.skip(noIpv6, () => {});
    return;
  }

  test('a datagram goes there and comes back, stamped, from where it was sent to', async () => {
    const peer = await echo(address);
    const to = { address, port: peer.port };
    const socket = open();
    const reply = first(socket);
    const before = clock.read().counter;
    const sent = socket.send(bytes, to);
    const after = clock.read().counter;
    const { bytes: received, from, at } = await reply;
    expect([...received]).toEqual([...bytes]);
    expect(from).toEqual(to);
    expect(sent.counter).toBeGreaterThanOrEqual(before);
    expect(sent.counter).toBeLessThanOrEqual(after);
    expect(at.counter).toBeGreaterThan(sent.counter);
    expect(at.counter).toBeLessThanOrEqual(clock.read().counter);
  });

  test.skipIf(process.platform !== 'linux')('it is with the peer’s kernel when the call returns (Linux)', async () => {
    const peer = await udpPeer(() => {}, address);
    opened.push(peer);
    const table = address === '::1' ? '/proc/net/udp6' : '/proc/net/udp';
    const waiting = (): number => {
      // local_address is ADDRESS:PORT in hexadecimal, tx_queue:rx_queue the fifth column.
      const port = `:${peer.port.toString(16).toUpperCase().padStart(4, '0')}`;
      const row = readFileSync(table, 'utf8')
        .split('\n')
        .map(line => line.trim().split(/\s+/))
        .find(columns => columns[1]?.endsWith(port));
      return Number.parseInt(row![4]!.split(':')[1]!, 16);
    };
    expect(waiting()).toBe(0);
    open().send(bytes, { address, port: peer.port });
    expect(waiting()).toBeGreaterThan(0);
  });
});

describe('who says when an answer arrived', () => {
  /** Sends a question that is answered at once, and looks at its sockets only 50 ms later. */
  async function lateness(network: Network): Promise<number> {
    const peer = await echo();
    const socket = network.open('test');
    opened.push(socket);
    const reply = first(socket);
    const sent = socket.send(bytes, { address: '127.0.0.1', port: peer.port }).counter;
    // The echo answers in this thread, which is then busy before it looks at our socket.
    peer.socket.once('message', () =>
      setImmediate(() => {
        while (clock.read().counter < sent + 0.05);
      }),
    );
    return (await reply).at.counter - sent;
  }

  test.skipIf(process.platform !== 'linux')('the kernel, however busy this process is (Linux)', async () => {
    expect(await lateness(new UdpNetwork({ stamps: 'kernel' }, () => {}).connect(clock))).toBeLessThan(0.04);
  });

  test('the process, where it is asked to', async () => {
    expect(await lateness(new UdpNetwork({ stamps: 'process' }, () => {}).connect(clock))).toBeGreaterThan(0.05);
  });

  test('where the kernel cannot be asked, one event says so, and forcing it is an error', () => {
    const real = Object.getOwnPropertyDescriptor(process, 'platform')!;
    Object.defineProperty(process, 'platform', { ...real, value: 'freebsd' });
    try {
      const told: string[] = [];
      const plain = new UdpNetwork({ stamps: 'auto' }, what => told.push(what)).connect(clock);
      expect(told).toEqual([]);
      opened.push(plain.open('one'), plain.open('two'));
      expect(told).toEqual([
        'arrivals are stamped in this process, not by the kernel: no kernel stamps known on freebsd',
      ]);
      expect(() => new UdpNetwork({ stamps: 'kernel' }, () => {})).toThrow(
        'network udp: the kernel cannot be asked for its stamps: no kernel stamps known on freebsd',
      );
    } finally {
      Object.defineProperty(process, 'platform', real);
    }
  });
});

// A machine that is busy with something else may spoil one try.
test('the stamp of a departure is the departure’s, to a fraction of a millisecond', { retry: 2 }, async () => {
  // The peer's clock and ours are one: the one-way delay on loopback tells how near to departure the stamp is.
  const delays: number[] = [];
  let sent = 0;
  const peer = await udpPeer(() => delays.push(clock.read().counter - sent));
  opened.push(peer);
  for (let i = 0; i < 50; i++) {
    const socket = open();
    sent = socket.send(bytes, { address: '127.0.0.1', port: peer.port }).counter;
    await new Promise(resolve => setTimeout(resolve, 4));
  }
  expect(delays.length).toBeGreaterThan(40);
  expect(Math.min(...delays)).toBeGreaterThan(0);
  expect(delays.sort((a, b) => a - b)[25]).toBeLessThan(1e-3);
});

test('every socket has a port of its own', async () => {
  const ports = new Set<number>();
  const peer = await udpPeer((_bytes, from) => ports.add(from.port));
  opened.push(peer);
  for (let i = 0; i < 20; i++) open().send(bytes, { address: '127.0.0.1', port: peer.port });
  await expect.poll(() => ports.size).toBe(20);
  const gaps = [...ports].slice(1).map((port, index) => port - [...ports][index]!);
  expect(new Set(gaps).size, 'ports follow a pattern').toBeGreaterThan(3);
});

test('after closing nothing arrives, and closing again does nothing', async () => {
  const peer = await echo();
  const socket = open();
  const heard: Datagram[] = [];
  socket.received.subscribe(datagram => heard.push(datagram));
  socket.send(bytes, { address: '127.0.0.1', port: peer.port });
  socket.close();
  socket.close();
  await new Promise(resolve => setTimeout(resolve, 30));
  expect(heard).toEqual([]);
});

describe('what cannot be sent is an error of `received`, after the call, with a reason', () => {
  test.each([
    ['255.255.255.255', 123, 'sending is forbidden (EACCES)'],
    ['127.0.0.1', 0, /port/i],
    ['127.0.0.1', 70_000, /port/i],
  ])('%s port %i', async (address, port, reason) => {
    const socket = open();
    let within = true;
    const failed = new Promise<string>(resolve => {
      socket.received.subscribe({
        error: (error: Error) => {
          expect(within).toBe(false);
          resolve(error.message);
        },
      });
    });
    expect(socket.send(bytes, { address, port }).counter).toBeGreaterThan(0);
    within = false;
    expect(await failed).toMatch(reason);
  });

  test('a closed port on loopback is silence, not an error', async () => {
    const peer = await echo();
    peer.close();
    opened.length = 0;
    const socket = open();
    const errors: unknown[] = [];
    socket.received.subscribe({ error: error => errors.push(error) });
    socket.send(bytes, { address: '127.0.0.1', port: peer.port });
    await new Promise(resolve => setTimeout(resolve, 50));
    socket.send(bytes, { address: '127.0.0.1', port: peer.port });
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(errors).toEqual([]);
  });
});

describe('addresses', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['fe80:0::1%lo', 'fe80::1%lo'],
  ])('the literal %s is %s, without a look-up', (host, address) => {
    expect(network.resolve(host, 123)).toEqual([{ address, port: 123 }]);
  });

  test('a name has all of its addresses', async () => {
    const found = await network.resolve('localhost', 1123);
    expect(found.length).toBeGreaterThan(0);
    for (const { address, port } of found) {
      expect(['127.0.0.1', '::1']).toContain(address);
      expect(port).toBe(1123);
    }
  });

  test('a name without one says so', async () => {
    // RFC 6761: .invalid never has an address.
    await expect(network.resolve('ntp.invalid', 123)).rejects.toThrow(/ntp\.invalid/);
  });
});
