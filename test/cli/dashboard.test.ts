import { get } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { escapement, start } from '../support/cli.js';

/** As a browser asks: the bytes as they come over the wire. */
function fetched(
  url: string,
  encoding: string,
): Promise<{ readonly encoding: string | undefined; readonly bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    get(url, { headers: { 'accept-encoding': encoding } }, response => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ encoding: response.headers['content-encoding'], bytes: Buffer.concat(chunks) }),
      );
    }).on('error', reject);
  });
}

test('live --dashboard says where its page is, which is small over the wire and asks nobody else', async () => {
  const { child, ended, shows } = start(['live', '--demo', '--dashboard', '0', '--for', '1 min']);
  let said = '';
  child.stdout.on('data', (data: Buffer) => {
    said += data.toString();
  });
  await shows(/Dashboard: http:\/\/127\.0\.0\.1:\d+\/\n/);
  const url = /Dashboard: (\S+)/.exec(said)![1]!;
  const plain = (await fetched(url, 'identity')).bytes;
  expect(plain.toString()).toContain('<title>Escapement</title>');
  expect(plain.toString()).toContain("connect-src 'self'");
  for (const [asked, decode] of [
    ['gzip, deflate', gunzipSync],
    ['gzip, deflate, br', brotliDecompressSync],
  ] as const) {
    const { bytes } = await fetched(url, asked);
    expect(bytes.length).toBeLessThan(300_000);
    expect(decode(bytes).equals(plain)).toBe(true);
  }
  child.kill('SIGINT');
  expect((await ended).code).toBe(130);
});

test.each([
  ['soon', "--dashboard: expected a port from 0 to 65535, found 'soon'"],
  ['65536', "--dashboard: expected a port from 0 to 65535, found '65536'"],
])('live --dashboard %s is refused', async (port, expected) => {
  const { code, stderr } = await escapement(['live', '--demo', '--dashboard', port]);
  expect([code, stderr.trim()]).toEqual([2, `escapement: ${expected}`]);
});
