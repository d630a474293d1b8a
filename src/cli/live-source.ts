import { resolve } from 'node:path';
import { InputError } from '../core/errors.js';
import { isLoopback, parseServer } from '../core/ntp/server-address.js';
import { formatDuration, parseQuantity } from '../core/quantity.js';

/** Options of `live` that say how servers are asked. */
export interface AskingOptions {
  readonly server?: readonly string[];
  readonly interval?: string;
  readonly maxInterval?: string;
  readonly nts?: boolean;
  readonly ca?: string;
  readonly keyFile?: string;
  readonly key?: string;
  readonly demo?: boolean;
}

/** Shortest interval for servers that are not on this machine, seconds: NTP's usual shortest (2⁶, RFC 5905's MINPOLL 6). */
const SHORTEST = 64;
/** NTP's usual longest (2¹⁰, RFC 5905's MAXPOLL 10). */
const LONGEST = 1024;
const DEMO_INTERVAL = 1;

/** The source of a live run: which servers are asked, how often, and what they have to prove themselves by. */
export function liveSource(servers: readonly string[], options: AskingOptions): object {
  return { use: 'ntp', ...credentialsOf(servers, options), ...pollingOf(servers, options) };
}

/** One interval where one was given, else RFC 5905's poll control between two, of all servers together. */
function pollingOf(servers: readonly string[], options: AskingOptions): object {
  const given = options.interval === undefined ? undefined : seconds('--interval', options.interval);
  const longest = options.maxInterval === undefined ? undefined : seconds('--max-interval', options.maxInterval);
  if (options.demo && longest === undefined) return { poller: { use: 'fixed', interval: given ?? DEMO_INTERVAL } };
  const interval = given ?? (options.demo ? DEMO_INTERVAL : SHORTEST);
  if (longest !== undefined && longest < interval) {
    throw new InputError(
      '--max-interval',
      `expected at least ${formatDuration(interval)}, found ${options.maxInterval}`,
    );
  }
  if (!options.demo) checkEtiquette(servers, interval);
  if (given !== undefined && longest === undefined) return { poller: { use: 'fixed', interval } };
  return { poller: { use: 'rfc5905', min: interval, max: longest ?? LONGEST }, together: true };
}

function credentialsOf(servers: readonly string[], { server, nts, ca, keyFile, key }: AskingOptions): object {
  const secured = nts ? '--nts' : key !== undefined ? '--key' : undefined;
  if (nts && key !== undefined) throw new InputError('--key', 'expected one of --nts and --key, found both');
  if (ca !== undefined && !nts) throw new InputError('--ca', 'says whom to trust with --nts, which is missing');
  if ((key === undefined) !== (keyFile === undefined)) {
    const [here, missing] = key === undefined ? ['--key-file', '--key NUMBER'] : ['--key', '--key-file FILE'];
    throw new InputError(here, `expected ${missing} with it, found none`);
  }
  if (secured !== undefined && server === undefined) {
    throw new InputError(secured, 'has no meaning for servers of the public pool', 'name yours with --server');
  }
  // Whole paths, so that the scenario can be run again from wherever it is kept.
  if (nts) {
    const how = ca === undefined ? true : { ca: resolve(ca) };
    return { servers: servers.map(one => ({ server: one, nts: how })) };
  }
  if (key === undefined || keyFile === undefined) return { servers };
  if (!/^\d{1,10}$/.test(key)) throw new InputError('--key', `expected the number of a key, found '${key}'`);
  return { servers: servers.map(one => ({ server: one, key: Number(key) })), keyFile: resolve(keyFile) };
}

export function seconds(option: string, value: string): number {
  const parsed = parseQuantity(value, 'time');
  if (typeof parsed === 'string') throw new InputError(option, parsed);
  if (!(parsed > 0)) throw new InputError(option, `expected more than 0 s, found ${value}`);
  return parsed;
}

function checkEtiquette(servers: readonly string[], interval: number): void {
  const hosts = servers.map(server => ({ server, ...parseServer(server, `--server ${server}`) }));
  const foreign = hosts.find(({ host }) => !isLoopback(host));
  if (interval < SHORTEST && foreign !== undefined) {
    throw new InputError(
      '--interval',
      `expected at least ${SHORTEST} s, found ${formatDuration(interval)}: ${foreign.server} is not on this machine`,
      'public servers are shared; shorter intervals are for servers on loopback',
    );
  }
}
