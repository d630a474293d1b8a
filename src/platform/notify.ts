import { createRequire } from 'node:module';
import { endianness } from 'node:os';

const AF_UNIX = 1;
/** SOCK_DGRAM | SOCK_CLOEXEC */
const DATAGRAM = 2 | 0o2000000;
/** sizeof sun_path */
const LONGEST_PATH = 108;

/**
 * sd_notify(3): tells systemd how a service is, where systemd asks (NOTIFY_SOCKET). Node has no Unix datagram sockets, so
 * through koffi, in this process: systemd then needs no `NotifyAccess=all`. Where that fails, `why` says so, once.
 */
export class Notifier {
  readonly why: string | undefined;
  private readonly send: ((text: string) => boolean) | undefined;

  constructor(socket: string | undefined = process.env['NOTIFY_SOCKET']) {
    if (socket === undefined || socket === '') return;
    try {
      this.send = sender(socket);
    } catch (error) {
      this.why = `systemd cannot be told: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
    }
  }

  /** Whether somebody listens. */
  get wanted(): boolean {
    return this.send !== undefined;
  }

  ready(status: string): void {
    this.tell({ READY: '1', STATUS: status });
  }

  status(status: string): void {
    this.tell({ STATUS: status });
  }

  reloading(): void {
    this.tell({ RELOADING: '1', MONOTONIC_USEC: String(process.hrtime.bigint() / 1000n) });
  }

  stopping(): void {
    this.tell({ STOPPING: '1' });
  }

  alive(): void {
    this.tell({ WATCHDOG: '1' });
  }

  private tell(fields: Readonly<Record<string, string>>): void {
    const lines = Object.entries(fields).map(([name, value]) => `${name}=${value.replaceAll('\n', ' ')}`);
    this.send?.(lines.join('\n'));
  }
}

/** Half of the time after which systemd takes a silent service for dead, milliseconds; undefined where it does not ask. */
export function watchdogPeriod(env: NodeJS.ProcessEnv = process.env): number | undefined {
  const { WATCHDOG_USEC: period, WATCHDOG_PID: pid } = env;
  if (period === undefined || !/^\d+$/.test(period) || (pid !== undefined && Number(pid) !== process.pid))
    return undefined;
  return Number(period) / 1000 / 2;
}

function sender(path: string): (text: string) => boolean {
  if (process.platform !== 'linux' || endianness() !== 'LE') throw new Error(`not on ${process.platform}`);
  const name = Buffer.from(path);
  if (name.length >= LONGEST_PATH || !/^[/@]/.test(path)) throw new Error(`NOTIFY_SOCKET is ${path}`);
  // An abstract socket's name begins with a zero byte.
  if (path.startsWith('@')) name[0] = 0;
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const c = koffi.load(null);
  const socket = c.func('int socket(int family, int type, int protocol)');
  const sendto = c.func('long sendto(int fd, void *bytes, size_t length, int flags, void *to, uint32_t toLength)');
  const fd = socket(AF_UNIX, DATAGRAM, 0) as number;
  if (fd < 0) throw new Error('there is no socket to be had');
  const address = Buffer.alloc(2 + name.length + (path.startsWith('@') ? 0 : 1));
  address.writeUInt16LE(AF_UNIX);
  name.copy(address, 2);
  return text => {
    const bytes = Buffer.from(text);
    return (sendto(fd, bytes, bytes.length, 0, address, address.length) as number) === bytes.length;
  };
}
