import { InputError } from '../errors.js';

/** The port that NTP servers listen on. */
const NTP_PORT = 123;

/** Reads HOST, HOST:PORT, [IPv6], [IPv6]:PORT or a bare IPv6 address. Throws an `InputError` at `place`. */
export function parseServer(
  text: string,
  place: string,
  usual = NTP_PORT,
): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:\s]+))(?::(\d+))?$/.exec(text);
  if (match === null) {
    if (text.includes(':') && /^[\da-f:.]+(?:%\w+)?$/i.test(text)) return { host: text, port: usual };
    throw new InputError(place, `expected HOST[:PORT], found '${text}'`);
  }
  const port = match[3] === undefined ? usual : Number(match[3]);
  if (port < 1 || port > 65535) throw new InputError(place, `expected a port from 1 to 65535, found ${port}`);
  return { host: match[1] ?? match[2]!, port };
}

/** True for an address of this machine itself, and for the names that mean one. */
export function isLoopback(host: string): boolean {
  return /^127\.\d+\.\d+\.\d+$|^::1$|^::ffff:127\.\d+\.\d+\.\d+$|^(.+\.)?localhost\.?$/i.test(host);
}
