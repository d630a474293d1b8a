import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { extensionField, joined } from '../../../src/core/ntp/extension.js';
import { findKey } from '../../../src/core/ntp/key-file.js';
import { decodePacket } from '../../../src/core/ntp/packet.js';
import { SymmetricKeyCredentials, withMac } from '../../../src/core/ntp/symmetric-key.js';
import { symmetricKey } from '../../../src/platform/symmetric-key.js';
import { runText } from '../../support/run-scenario.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const key = (line: string, id = 1) => symmetricKey(findKey(line, id, 'keys'));

const FILE = `# made by hand
! and so is this
1 aPassword
2 MD5 ASCII:a-Password   # with a comment
10 SHA256 HEX:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
11	AES128	HEX:2b7e151628aed2a6abf7158809cf4f3c

20 SHA1 2bd6459f82c5b300952c49104881ff482bd6459f
21 SHA1 abcdef 192.0.2.1,192.0.2.2
22 AES-128-CMAC 0123456789abcdef
23 TIGER HEX:0011
`;

describe('a file of keys', () => {
  test.each([
    [1, 'MD5', 'aPassword'],
    [2, 'MD5', 'a-Password'],
    [21, 'SHA1', 'abcdef'],
    [22, 'AES-128-CMAC', '0123456789abcdef'],
  ])('key %i is %s, in ASCII', (id, type, secret) => {
    const found = findKey(FILE, id, 'keys');
    expect([found.type, text(found.secret)]).toEqual([type, secret]);
  });

  test.each([
    [10, 'SHA256', '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff'],
    [11, 'AES128', '2b7e151628aed2a6abf7158809cf4f3c'],
    // ntp-keygen's form: hexadecimal because it is longer than 20 characters.
    [20, 'SHA1', '2bd6459f82c5b300952c49104881ff482bd6459f'],
  ])('key %i is %s, in hexadecimal', (id, type, secret) => {
    const found = findKey(FILE, id, 'keys');
    expect([found.type, hex(found.secret)]).toEqual([type, secret]);
  });

  test.each([
    [FILE, 5, 'keys: expected a key 5, found 1, 2, 10, 11, 20, 21, 22, 23'],
    ['# nothing', 5, 'keys: expected a key 5, found none at all'],
    ['ten SHA1 x', 5, 'keys line 1: expected ID [TYPE] SECRET, as in `10 SHA256 HEX:…`'],
    ['\n10', 5, 'keys line 2: expected ID [TYPE] SECRET, as in `10 SHA256 HEX:…`'],
    ['10 SHA1 a b c', 5, 'keys line 1: expected ID [TYPE] SECRET, as in `10 SHA256 HEX:…`'],
    ['0 SHA1 a', 5, 'keys line 1: expected a key number from 1 to 4294967295, found 0'],
    ['5 SHA1 a\n5 SHA1 b', 5, 'keys line 2: key 5 stands twice in the file'],
    ['5 SHA1 HEX:0g', 5, 'keys line 1: expected pairs of hexadecimal digits after HEX:'],
    ['5 SHA1 HEX:123', 5, 'keys line 1: expected pairs of hexadecimal digits after HEX:'],
    ['5 SHA1 HEX:', 5, 'keys line 1: expected pairs of hexadecimal digits after HEX:'],
    ['5 SHA1 ä', 5, 'keys line 1: expected a secret of printable ASCII characters'],
  ])('that is wrong is refused at its line, and no secret is shown: %j', (file, id, problem) => {
    expect(() => findKey(file, id, 'keys')).toThrow(problem);
  });

  test('a type that nobody knows, or a key of a wrong length, is refused where it is used', () => {
    expect(() => key(FILE, 23)).toThrow(/^keys line 11: expected one of MD5, .*, found the type 'TIGER'$/);
    expect(() => key('1 AES128 short')).toThrow('keys line 1: expected a key of 16 bytes for AES128, found 5');
    expect(() => key('1 AES256 HEX:00')).toThrow('keys line 1: expected a key of 32 bytes for AES256, found 1');
  });
});

describe('MACs', () => {
  const message = Buffer.from(
    '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411',
    'hex',
  );

  test.each([
    // RFC 4493, section 4.
    [0, 'bb1d6929e95937287fa37d129b756746'],
    [16, '070a16b46b4d4144f79bdd9dd04a287c'],
    [40, 'dfa66747de9ae63030ca32611497c827'],
  ])('AES-CMAC of %i bytes (RFC 4493)', (length, mac) => {
    expect(hex(key(FILE, 11).mac(message.subarray(0, length)))).toBe(mac);
  });

  test('a digest is that of key and packet, at most 20 bytes of it', () => {
    // echo -n abcabc | sha1sum, and so on.
    expect(hex(key('1 SHA1 abc').mac(Buffer.from('abc')))).toBe('f8c1d87006fbf7e5cc4b026c3138bc046883dc71');
    expect(hex(key('1 MD5 abc').mac(Buffer.from('abc')))).toBe('440ac85892ca43ad26d44c7ad9d47d3e');
    expect(hex(key('1 SHA256 abc').mac(Buffer.from('abc')))).toBe('bbb59da3af939f7af5f360f2ceb80a496e3bae1c');
  });
});

describe('an answer under a key', () => {
  const one = key('7 SHA256 HEX:00112233445566778899aabbccddeeff', 7);
  const answer = Uint8Array.from({ length: 48 }, (_, i) => (i === 0 ? 0x24 : i));
  const question = () => new SymmetricKeyCredentials(one).seal(new Uint8Array(48));
  const verdict = (reply: Uint8Array) => question().distrust(reply, decodePacket(answer)!);

  test('is genuine with its MAC, also after extension fields', () => {
    expect(verdict(withMac(answer, one))).toBeUndefined();
    expect(verdict(withMac(joined([answer, extensionField(0x2, new Uint8Array(24))]), one))).toBeUndefined();
  });

  test('is dropped without a MAC, with that of another key or number, or with any bit changed', () => {
    expect(verdict(answer)).toBe('unauthenticated');
    expect(verdict(answer.subarray(0, 40))).toBe('unauthenticated');
    expect(verdict(withMac(answer, { ...one, id: 8 }))).toBe('forged');
    expect(verdict(withMac(answer, { ...key('7 SHA256 other', 7) }))).toBe('forged');
    const good = withMac(answer, one);
    for (let bit = 0; bit < 8 * good.length; bit++) {
      const bytes = Uint8Array.from(good);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(verdict(bytes)).toBe('forged');
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), noise => verdict(joined([answer, noise])) !== undefined));
  });

  test('a crypto-NAK is dropped, and the question says so if nothing better comes', () => {
    const credentials = new SymmetricKeyCredentials(one);
    const nak = joined([answer, new Uint8Array(4)]);
    expect(credentials.seal(new Uint8Array(48)).distrust(nak, decodePacket(answer)!)).toBe('unauthenticated');
    expect(credentials.complaint).toBe('crypto-NAK: the server does not take key 7');
    credentials.seal(new Uint8Array(48));
    expect(credentials.complaint).toBeUndefined();
  });
});

describe('in a scenario', () => {
  const folder = mkdtempSync(join(tmpdir(), 'escapement-keys-'));
  writeFileSync(join(folder, 'keys'), FILE);
  writeFileSync(join(folder, 'no.pem'), 'nothing');
  const scenario = (source: string, world = '{ kind: real }') =>
    runText(
      `{ name: k, duration: 1 s, world: ${world}, sources: { ntp: { use: ntp, ${source} } }, pipelines: [{ name: p }] }`,
    );

  test.each([
    [
      "servers: [{ server: '127.0.0.1:9', key: 1 }]",
      'sources.ntp.servers[0].key: expected `keyFile` in sources.ntp, found none',
    ],
    [
      `keyFile: ${folder}/none, servers: [a.example, { server: '127.0.0.1:9', key: 1 }]`,
      `sources.ntp.keyFile: there is no file ${folder}/none`,
    ],
    [
      `keyFile: ${folder}/keys, servers: [{ server: '127.0.0.1:9', key: 3 }]`,
      `${folder}/keys: expected a key 3, found 1, 2,`,
    ],
    [
      "servers: [{ server: '127.0.0.1:9', nts: true, key: 1 }]",
      'sources.ntp.servers[0]: expected one of `nts` and `key`, found both',
    ],
    [
      `servers: [{ server: '127.0.0.1:9', nts: { ca: ${folder}/no.pem } }]`,
      `sources.ntp.servers[0].nts.ca: expected certificates (PEM), found none in ${folder}/no.pem`,
    ],
    [
      `servers: [{ server: '127.0.0.1:9', nts: { ca: ${folder}/none.pem } }]`,
      `sources.ntp.servers[0].nts.ca: there is no file ${folder}/none.pem`,
    ],
  ])('what is wrong is one error at its place: %s', async (source, problem) => {
    await expect(scenario(source)).rejects.toThrow(problem);
  });

  test.each([
    [
      '{ server: a, nts: true }',
      'sources.ntp.servers[0].nts: is for a real world: the servers of a simulated one have no keys',
    ],
    [
      '{ server: a, key: 3 }',
      'sources.ntp.servers[0].key: is for a real world: the servers of a simulated one have no keys',
    ],
  ])('a simulated world refuses %s', async (server, problem) => {
    await expect(scenario(`servers: [${server}]`, '{ servers: [{ name: a }] }')).rejects.toThrow(problem);
  });
});
