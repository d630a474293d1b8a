/**
 * Three exchanges between chronyd 4.3 as a client and chronyd 4.3 as a server (`local stratum 5`) over loopback, taken
 * off the wire on 2026-11-21 at 22:27:59 UTC. The client's transmit timestamps are random, as ours are.
 */
export const CHRONY_EXCHANGES = [
  {
    request: '23000020000000000000000000000000000000000000000000000000000000000000000000000000a9d873f964708b49',
    response: '240500e700000000000000007f7f0101eeac996e3532a29da9d873f964708b49eeac996f7dec080beeac996f7e17b376',
  },
  {
    request: '23000020000000000000000000000000000000000000000000000000000000000000000000000000519dc79e6970f754',
    response: '240500e700000000000000007f7f0101eeac996e3532a29d519dc79e6970f754eeac996fc3dcef09eeac996fc4bd890c',
  },
  {
    request: '23000020000000000000000000000000000000000000000000000000000000000000000000000000862161a33768b08c',
    response: '240500e700000000000000007f7f0101eeac996e3532a29d862161a33768b08ceeac99700635d129eeac99700638b262',
  },
] as const;

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], byte => Number.parseInt(byte, 16));
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}
