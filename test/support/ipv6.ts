import { networkInterfaces } from 'node:os';

/** Why nothing can be tested over IPv6 here; undefined where it can. In CI it has to be there. */
export function whyNoIpv6(): string | undefined {
  const has = Object.values(networkInterfaces()).some(list => list?.some(({ address }) => address === '::1'));
  if (has) return undefined;
  const why = 'this machine has no ::1';
  if (process.env['CI']) throw new Error(`the tests over IPv6 need it in CI: ${why}`);
  return why;
}
