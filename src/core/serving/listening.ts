import { InputError } from '../errors.js';

const WHY: Readonly<Record<string, readonly [why: string, hint?: string]>> = {
  EADDRINUSE: ['the port is in use', 'another server listens there: choose another port, or stop it'],
  EACCES: ['permission denied', 'ports below 1024 need a privilege (CAP_NET_BIND_SERVICE): choose another port'],
  EADDRNOTAVAIL: ['this machine has no such address'],
  EAFNOSUPPORT: ['this machine has no such addresses'],
  ENOTFOUND: ['not an address'],
};

/** Why nobody can listen at a place, for people. `what` names it: "NTP server on ::1 port 123". */
export function cannotListen(what: string, error: unknown): InputError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const [why, hint] = WHY[code] ?? [error instanceof Error ? error.message : String(error)];
  return new InputError(what, `cannot listen: ${why}${code === '' ? '' : ` (${code})`}`, hint);
}
