import { expect, test } from 'vitest';
import { isLoopback, parseServer } from '../../../src/core/ntp/server-address.js';

test.each([
  ['ntp.example.org', 'ntp.example.org', 123],
  ['ntp.example.org:1123', 'ntp.example.org', 1123],
  ['192.0.2.1', '192.0.2.1', 123],
  ['192.0.2.1:65535', '192.0.2.1', 65535],
  ['[2001:db8::1]', '2001:db8::1', 123],
  ['[2001:db8::1]:1123', '2001:db8::1', 1123],
  ['2001:db8::1', '2001:db8::1', 123],
  ['fe80::1%eth0', 'fe80::1%eth0', 123],
  ['[fe80::1%eth0]:1123', 'fe80::1%eth0', 1123],
])('%s is a server', (text, host, port) => {
  expect(parseServer(text, 'here')).toEqual({ host, port });
});

test.each([
  ['ntp.example.org:0', 'here: expected a port from 1 to 65535, found 0'],
  ['ntp.example.org:65536', 'here: expected a port from 1 to 65535, found 65536'],
  ['ntp.example.org:ntp', "here: expected HOST[:PORT], found 'ntp.example.org:ntp'"],
  ['two words', "here: expected HOST[:PORT], found 'two words'"],
  ['', "here: expected HOST[:PORT], found ''"],
])("'%s' is none", (text, message) => {
  expect(() => parseServer(text, 'here')).toThrow(message);
});

test.each([
  ['127.0.0.1', true],
  ['127.1.2.3', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['localhost', true],
  ['ntp.localhost', true],
  ['128.0.0.1', false],
  ['127.0.0.1.example.org', false],
  ['localhost.example.org', false],
  ['192.168.1.1', false],
  ['fe80::1', false],
])('%s on this machine: %s', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});
