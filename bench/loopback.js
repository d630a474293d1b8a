// What the benchmarks of the service share: real chronyd on loopback, free ports, and children that are gone at the end.
import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const CHRONYD = '/usr/sbin/chronyd';
if (!existsSync(CHRONYD)) {
  process.stderr.write(`${CHRONYD} is not there (apt-get install chrony)\n`);
  process.exit(2);
}

export const folder = mkdtempSync(join(tmpdir(), 'escapement-bench-'));
const children = new Set();

export async function freeUdpPort() {
  const socket = createSocket('udp4');
  await new Promise(done => socket.bind(0, '127.0.0.1', done));
  const { port } = socket.address();
  await new Promise(done => socket.close(done));
  return port;
}

export async function freeTcpPort() {
  const server = createServer();
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise(done => server.close(done));
  return port;
}

export function run(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  child.log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', data => {
      child.log += data;
    });
  }
  children.add(child);
  child.ended = new Promise(done => child.once('exit', (code, signal) => done({ code, signal })));
  child.ended.then(() => children.delete(child));
  return child;
}

/** A real server that can be killed and started again on its port. */
export class Chronyd {
  constructor(port) {
    this.port = port;
    const name = join(folder, `chronyd-${port}`);
    this.file = `${name}.conf`;
    const user = execFileSync('id', ['-un'], { encoding: 'utf8' }).trim();
    const lines = [`port ${port}`, 'bindaddress 127.0.0.1', 'allow 127.0.0.1', 'cmdport 0', `user ${user}`];
    lines.push(`pidfile ${name}.pid`, `bindcmdaddress ${name}.sock`, 'local stratum 8', '');
    writeFileSync(this.file, lines.join('\n'));
  }

  start() {
    this.child = run(CHRONYD, ['-x', '-d', '-f', this.file]);
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.child.ended;
    rmSync(this.file.replace('.conf', '.pid'), { force: true });
  }
}

/** Resolves when a service knows the time. */
export async function answering(base, service) {
  for (let i = 0; ; i++) {
    const ok = await fetch(`${base}/healthz`).then(
      reply => reply.ok,
      () => false,
    );
    if (ok) return;
    if (i > 300) throw new Error(`the service does not come up: ${service.log}`);
    await sleep(100);
  }
}

/** Ends what still runs, and takes its files away. */
export function clear() {
  for (const child of children) {
    child.kill('SIGCONT');
    child.kill('SIGKILL');
  }
  rmSync(folder, { recursive: true, force: true });
}
