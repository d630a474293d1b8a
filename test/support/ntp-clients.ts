import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const NTPSEC = process.env['NTPSEC_ROOT'] ?? '/opt/ntpsec';
const NTPDIG = join(NTPSEC, 'usr/bin/ntpdig');
const PYTHON = '/usr/bin/python3';

/** Why ntpdig cannot be run here; undefined where it can. In CI it has to be there. */
export function whyNoNtpdig(): string | undefined {
  if (existsSync(NTPDIG) && existsSync(PYTHON)) return undefined;
  const why = `${NTPDIG} is not there (.ci/install.sh unpacks it)`;
  if (process.env['CI']) throw new Error(`the tests against real NTP clients need it in CI: ${why}`);
  return why;
}

/** What ntpdig finds a server's clock to be, seconds ahead of this machine's. Throws what it says where it finds nothing. */
export async function ntpdig(
  host: string,
  port: number,
): Promise<{ readonly offset: number; readonly stratum: number }> {
  // ntpdig knows no option for the port: it asks the service "ntp" unless it is told another way.
  const script = [
    'import sys, runpy, socket',
    'real = socket.getaddrinfo',
    `socket.getaddrinfo = lambda host, port, *rest, **more: real(host, ${port} if port in ("ntp", 123) else port, *rest, **more)`,
    `sys.argv = ["ntpdig", "-j", "-t", "2", "${host}"]`,
    `runpy.run_path("${NTPDIG}", run_name="__main__")`,
  ].join('\n');
  const { stdout } = await run(PYTHON, ['-c', script], {
    ...process.env,
    PYTHONPATH: join(NTPSEC, 'usr/lib/python3/dist-packages'),
  });
  const found = JSON.parse(stdout) as { offset: number; stratum: number };
  return found;
}

/** What `chronyd -Q` finds the system clock to be wrong by, seconds (positive: it is behind); undefined if nothing. */
export async function chronydQ(
  server: string,
  options = '',
  seconds = 6,
): Promise<{ wrong: number | undefined; log: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'chronyd-q-'));
  const [host, port] = [server.slice(0, server.lastIndexOf(':')), server.slice(server.lastIndexOf(':') + 1)];
  const settings = [
    `server ${host.replaceAll(/[[\]]/g, '')} port ${port} ${options}`,
    'port 0',
    'cmdport 0',
    `user root`,
    `pidfile ${join(folder, 'chronyd.pid')}`,
    `bindcmdaddress ${join(folder, 'chronyd.sock')}`,
  ];
  try {
    const { stdout, stderr } = await run('/usr/sbin/chronyd', ['-Q', '-t', String(seconds), ...settings], process.env);
    const log = stdout + stderr;
    const wrong = /System clock wrong by (-?[\d.]+) seconds/.exec(log)?.[1];
    return { wrong: wrong === undefined ? undefined : Number(wrong), log };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function run(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ stdout: string; stderr: string }> {
  return new Promise(resolve => {
    execFile(file, args, { env, timeout: 15_000 }, (_error, stdout, stderr) => resolve({ stdout, stderr }));
  });
}
