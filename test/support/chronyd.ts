import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BINARY = '/usr/sbin/chronyd';

/** Why no chronyd can be started here; undefined where one can. In CI there has to be one. */
export function whyNoChronyd(): string | undefined {
  if (existsSync(BINARY)) return undefined;
  const why = `${BINARY} is not installed (apt-get install chrony)`;
  if (process.env['CI']) throw new Error(`the tests against a real NTP server need it in CI: ${why}`);
  return why;
}

export interface Chronyd {
  readonly port: number;
  readonly version: string;
  stop(): Promise<void>;
}

/**
 * A real NTP server on a free loopback port. `-x` keeps it from touching the system clock; `local stratum 8` lets it serve
 * that as it is.
 */
export async function startChronyd(
  settings: readonly string[] = ['local stratum 8'],
  wanted?: number,
): Promise<Chronyd> {
  const folder = mkdtempSync(join(tmpdir(), 'chronyd-'));
  const port = wanted ?? (await freePort());
  const file = join(folder, 'chrony.conf');
  writeFileSync(
    file,
    [
      `port ${port}`,
      'bindaddress 127.0.0.1',
      'allow 127.0.0.1',
      'cmdport 0',
      `user ${execFileSync('id', ['-un'], { encoding: 'utf8' }).trim()}`,
      `pidfile ${join(folder, 'chronyd.pid')}`,
      `bindcmdaddress ${join(folder, 'chronyd.sock')}`,
      ...settings,
      '',
    ].join('\n'),
  );
  const child = spawn(BINARY, ['-x', '-d', '-f', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const output of [child.stdout, child.stderr]) {
    output.on('data', (data: Buffer) => {
      log += data.toString();
    });
  }
  try {
    await answers(child, port, () => log);
  } catch (error) {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    port,
    version: execFileSync(BINARY, ['-v'], { encoding: 'utf8' }).trim(),
    stop: () =>
      new Promise<void>(resolve => {
        child.once('close', () => {
          rmSync(folder, { recursive: true, force: true });
          resolve();
        });
        child.kill('SIGTERM');
      }),
  };
}

export async function freeTcpPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>(resolve => server.close(() => resolve()));
  return port;
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>(resolve => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>(resolve => socket.close(() => resolve()));
  return port;
}

/** Resolves when it answers a question; rejects with its log when it ends before, or within ten seconds does not. */
async function answers(child: ChildProcess, port: number, log: () => string): Promise<void> {
  const socket = createSocket('udp4');
  const question = Uint8Array.from({ length: 48 }, (_, index) => (index === 0 ? 0x23 : index === 47 ? 1 : 0));
  let repeat: ReturnType<typeof setInterval> | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const started = performance.now();
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`chronyd ended: ${log()}`)));
      socket.on('error', () => {});
      socket.once('message', () => resolve());
      repeat = setInterval(() => {
        if (performance.now() - started > 10_000) reject(new Error(`chronyd does not answer: ${log()}`));
        socket.send(question, port, '127.0.0.1', () => {});
      }, 50);
    });
  } finally {
    clearInterval(repeat);
    socket.close();
  }
}
