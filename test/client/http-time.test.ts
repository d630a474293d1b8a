import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { EscapementClient, TimeUnknownError } from '../../src/client.js';
import { serving, upstream } from '../support/serving.js';

const opened: { close(): unknown }[] = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

/** A service that answers as it is told, after a while. */
async function service(answer: () => { status?: number; body: unknown; after?: number }): Promise<string> {
  const server: Server = createServer((_, response) => {
    const { status = 200, body, after = 0 } = answer();
    setTimeout(() => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    }, after);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  opened.push({
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const document = (more: object = {}) => ({
  unix: { seconds: Math.floor(Date.now() / 1000), nanoseconds: (Date.now() % 1000) * 1_000_000 },
  ...{ maxError: 0.01, uncertainty: 1e-3, level: 0.95, age: 3, source: 'kalman' },
  ...more,
});

test('over the sink http: the time that the run tells, with bounds that hold the way', async () => {
  const source = await upstream(0.1);
  opened.push(source);
  const run = await serving([`127.0.0.1:${source.endpoint.port}`], [{ use: 'http', port: 0 }]);
  try {
    const url = (await run.says(/listens on (\S+)/))[1]!;
    await expect
      .poll(async () => ((await (await fetch(`${url}/time`)).json()) as { maxError: unknown }).maxError)
      .not.toBeNull();
    const client = await EscapementClient.connect(url, { refresh: 0.1 });
    opened.push(client);
    const now = client.now();
    const truth = Date.now() / 1000 + 0.1;
    expect(Math.abs(now.time - truth)).toBeLessThan(0.05);
    expect(now.earliest).toBeLessThan(truth);
    expect(now.latest).toBeGreaterThan(truth);
    expect(now.by).toBe('kalman');
    const reached = await client.waitUntil(now.time + 0.1);
    expect(client.happenedBefore({ earliest: now.time - 1, latest: now.time - 1 }, reached)).toBe(true);
    await expect(EscapementClient.connect(url, { pipeline: 'kalmann' })).rejects.toThrow(
      /answers with 4\d\d: .*kalman/,
    );
  } finally {
    await run.stop();
  }
});

test('a slow answer widens the bounds by half of what it took, and they grow until the next', async () => {
  const url = await service(() => ({ body: document(), after: 200 }));
  const began = performance.now();
  const client = await EscapementClient.connect(url, { refresh: 60 });
  opened.push(client);
  const first = client.now();
  const took = (performance.now() - began) / 1000;
  expect(first.maxError).toBeGreaterThan(0.01 + 0.1);
  expect(first.maxError).toBeLessThan(0.01 + took / 2 + 1e-3);
  await new Promise(resolve => setTimeout(resolve, 100));
  expect(client.now().maxError).toBeGreaterThan(first.maxError + 0.9e-4);
  expect(client.now().age).toBeGreaterThan(3.1);
});

test('a service that falls silent is believed for so long, and then refused', async () => {
  const url = await service(() => ({ body: document() }));
  const client = await EscapementClient.connect(url, { refresh: 0.05, validFor: 0.3 });
  expect(client.now().by).toBe('kalman');
  for (const one of opened.splice(0)) one.close();
  opened.push(client);
  const refused = (): unknown => {
    try {
      client.now();
      return undefined;
    } catch (error) {
      return error;
    }
  };
  await expect.poll(refused, { timeout: 10_000 }).toBeInstanceOf(TimeUnknownError);
  expect(() => client.now()).toThrow(/cannot be reached \(E[A-Z]+\); its last answer is \d+\.\d s old/);
});

test.each([
  [
    'does not know the time yet',
    { body: document({ maxError: null, uncertainty: null }) },
    'says that the time is not known',
  ],
])('a service that %s is refused when asked', async (_, answer, why) => {
  const client = await EscapementClient.connect(await service(() => answer));
  opened.push(client);
  expect(() => client.now()).toThrow(why);
});

test.each([
  ['something else', { body: { hello: 'world' } }, 'is it the sink http of escapement?'],
  ['an error', { status: 503, body: { message: 'too busy' } }, 'answers with 503: too busy'],
])('a service that says %s is refused at once', async (_, answer, why) => {
  await expect(service(() => answer).then(url => EscapementClient.connect(url))).rejects.toThrow(why);
});

test('what is no address of a service is one clear error', async () => {
  await expect(EscapementClient.connect('localhost')).rejects.toThrow(
    "expected a URL such as http://127.0.0.1:8623, found 'localhost'",
  );
  await expect(EscapementClient.connect('ftp://localhost')).rejects.toThrow('begins with http:// or https://');
  await expect(EscapementClient.connect('http://127.0.0.1:9')).rejects.toThrow(/cannot be reached|does not answer/);
  await expect(EscapementClient.connect('http://127.0.0.1:9', { refresh: 0 })).rejects.toThrow(
    'refresh: expected more than 0 s, found 0',
  );
});
