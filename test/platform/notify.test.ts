import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Notifier, watchdogPeriod } from '../../src/platform/notify.js';
import { start } from '../support/cli.js';

const linux = process.platform === 'linux';
const path = join(tmpdir(), `escapement-notify-${process.pid}.sock`);

/** systemd's end of the socket: Node has no Unix datagram sockets. */
function listener(name: string) {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const c = koffi.load(null);
  const socket = c.func('int socket(int family, int type, int protocol)');
  const bind = c.func('int bind(int fd, void *address, uint32_t length)');
  const recv = c.func('long recv(int fd, void *into, size_t length, int flags)');
  const close = c.func('int close(int fd)');
  // AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK
  const fd = socket(1, 2 | 0o4000, 0) as number;
  const address = Buffer.alloc(2 + name.length + 1);
  address.writeUInt16LE(1);
  address.write(name, 2);
  expect(bind(fd, address, address.length)).toBe(0);
  return {
    next: async (holds: RegExp): Promise<string> => {
      const seen: string[] = [];
      for (let i = 0; i < 400; i++) {
        const into = Buffer.alloc(4096);
        const length = Number(recv(fd, into, into.length, 0));
        if (length > 0) {
          const text = into.toString('utf8', 0, length);
          seen.push(text);
          if (holds.test(text)) return text;
        } else await new Promise(resolve => setTimeout(resolve, 25));
      }
      throw new Error(`nobody said ${holds}: ${JSON.stringify(seen)}`);
    },
    close: () => close(fd),
  };
}

describe.runIf(linux)('what systemd is told (Linux only: nobody else has it)', () => {
  afterAll(() => rmSync(path, { force: true }));

  test('a service says when it is ready, how it is, that it is alive, and that it stops', async () => {
    const systemd = listener(path);
    try {
      const run = start(['live', '--demo', '--quiet', '--for', '60 s'], {
        NOTIFY_SOCKET: path,
        WATCHDOG_USEC: '400000',
      });
      expect(await systemd.next(/READY/)).toBe('READY=1\nSTATUS=runs');
      await systemd.next(/^WATCHDOG=1$/);
      expect(await systemd.next(/^STATUS=default: offset/)).toMatch(
        /^STATUS=default: offset [+-]?[\d.]+ [mµn]s, at most ± [\d.]+ [mµn]?s, \d of 4 servers used$/,
      );
      run.child.kill('SIGTERM');
      expect(await systemd.next(/STOPPING/)).toBe('STOPPING=1');
      expect((await run.ended).code).toBe(0);
    } finally {
      systemd.close();
    }
  });

  test('a socket that is none is said to be that, and nothing else happens', () => {
    expect(new Notifier('nonsense').why).toBe('systemd cannot be told: NOTIFY_SOCKET is nonsense');
    const silent = new Notifier(join(tmpdir(), 'nobody-listens-here.sock'));
    expect(silent.why).toBeUndefined();
    silent.ready('runs');
    expect(new Notifier('').wanted).toBe(false);
  });
});

test('the watchdog is fed twice as often as systemd asks, if it asks this process', () => {
  expect(watchdogPeriod({})).toBeUndefined();
  expect(watchdogPeriod({ WATCHDOG_USEC: '60000000' })).toBe(30_000);
  expect(watchdogPeriod({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: String(process.pid) })).toBe(30_000);
  expect(watchdogPeriod({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '1' })).toBeUndefined();
});
