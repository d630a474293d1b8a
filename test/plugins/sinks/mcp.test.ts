import { request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { NtpServer } from '../../../src/plugins/sinks/ntp-server.js';
import { start } from '../../support/cli.js';
import { type ServingRun, serving, upstream } from '../../support/serving.js';

const AHEAD = 0.1;
const bin = fileURLToPath(new URL('../../../bin/escapement.js', import.meta.url));
const TOOLS = ['compare_timestamps', 'get_status', 'get_time', 'get_time_with_future_uncertainty', 'wait_until'];

interface Told {
  readonly time: string;
  readonly earliest: string;
  readonly latest: string;
  readonly maxError: number;
  readonly synchronised: boolean;
}

const seconds = (text: string): number => Date.parse(text) / 1000;

async function call(client: Client, name: string, args: Record<string, unknown> = {}) {
  const { content, structuredContent, isError } = await client.callTool({ name, arguments: args });
  const text = (content as { text: string }[])[0]!.text;
  return { text, told: structuredContent as Record<string, unknown> & Told, isError: isError === true };
}

let source: NtpServer;
beforeAll(async () => {
  source = await upstream(AHEAD);
});
afterAll(() => source.close());

/** What an agent gets, whatever the protocol is carried over; the SDK's client checks answers against their schemas. */
async function tellsTheTime(client: Client): Promise<void> {
  expect((await client.listTools()).tools.map(({ name }) => name).sort()).toEqual(TOOLS);
  await expect.poll(async () => (await call(client, 'get_time')).told.synchronised, { timeout: 10_000 }).toBe(true);
  const { told, text } = await call(client, 'get_time');
  expect(Math.abs(seconds(told.time) - Date.now() / 1000 - AHEAD)).toBeLessThan(0.05);
  expect(seconds(told.earliest)).toBeLessThan(seconds(told.time));
  expect(text).toMatch(/^\d{4}-.*Z, wrong by [\d.]+ m?s at most \(95 %: ± .*\), by kalman|ensemble/);

  const later = await call(client, 'get_time_with_future_uncertainty', { seconds: 3600 });
  expect(later.told.maxError).toBeGreaterThan(told.maxError + 0.01);
  expect(seconds(later.told.time) - seconds(told.time)).toBeGreaterThan(3599);
  const past = await call(client, 'get_time_with_future_uncertainty', { at: '2020-01-01T00:00:00Z' });
  expect(past).toMatchObject({ isError: true, text: expect.stringContaining('expected an instant to come') });
  expect((await call(client, 'wait_until', { time: 'tomorrow' })).text).toContain("found 'tomorrow'");
  expect((await call(client, 'wait_until', {})).text).toBe(
    "expected either 'time', an instant, or 'seconds' from now; found neither",
  );

  const target = seconds(told.time) + 0.3;
  const waited = await call(client, 'wait_until', { time: target });
  const then = waited.told as unknown as { reached: boolean; now: Told };
  expect(then.reached).toBe(true);
  expect(seconds(then.now.earliest)).toBeGreaterThanOrEqual(target - 1e-3);
  const tooLong = await call(client, 'wait_until', { seconds: 60, atMost: 0.1 });
  expect(tooLong.told).toMatchObject({ reached: false });

  const compare = async (a: object, b: object) => (await call(client, 'compare_timestamps', { a, b })).told['order'];
  const first = { earliest: '2026-11-25T00:00:00Z', latest: '2026-11-25T00:00:00.010Z' };
  const second = { time: '2026-11-25T01:00:00.030+01:00', maxError: 0.01 };
  expect(await compare(first, second)).toBe('before');
  expect(await compare(second, first)).toBe('after');
  expect(await compare(first, { ...second, maxError: 0.03 })).toBe('cannot be told');
  // The whole answers of get_time and its like.
  expect(await compare(told, later.told)).toBe('before');
  const half = await call(client, 'compare_timestamps', { a: { earliest: 1 }, b: first });
  expect(half).toMatchObject({ isError: true, text: 'a: expected earliest and latest, or time and maxError' });

  const status = await call(client, 'get_status');
  expect(status.text).toContain('synchronised: 1 of 1 servers used.');
  expect(status.told).toMatchObject({ sources: [{ stratum: 2 }], service: { world: 'real' } });
}

describe('over HTTP', () => {
  let run: ServingRun;
  let url: URL;
  beforeAll(async () => {
    run = await serving([`127.0.0.1:${source.endpoint.port}`], [{ use: 'mcp', port: 0 }]);
    url = new URL((await run.says(/speaks the Model Context Protocol at (\S+)/))[1]!);
  });
  afterAll(() => run.stop());

  test('an agent gets the time, its bounds now and later, a wait, the order of events and the status', async () => {
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(url) as Parameters<Client['connect']>[0]);
    await tellsTheTime(client);
    await client.close();
  });

  /** The answer to a raw request. */
  const ask = (method: string, headers: Record<string, string>, body: string, path = '/mcp') =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const accept = 'application/json, text/event-stream';
      const options = {
        host: url.hostname,
        port: url.port,
        path,
        method,
        headers: { accept, 'content-type': 'application/json', ...headers },
      };
      const sent = request(options, answer => {
        let text = '';
        answer.on('data', (data: Buffer) => (text += data.toString()));
        answer.on('end', () => resolve({ status: answer.statusCode!, text }));
      });
      sent.on('error', reject);
      sent.end(body);
    });
  const list = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });

  test('pages of the web do not: neither by their own name for this machine nor by their origin', async () => {
    expect(await ask('POST', {}, list)).toMatchObject({ status: 200, text: expect.stringContaining('get_time') });
    expect((await ask('POST', { host: 'localhost:1234', origin: 'http://127.0.0.1:1' }, list)).status).toBe(200);
    expect((await ask('POST', { host: 'evil.example' }, list)).status).toBe(403);
    expect((await ask('POST', { origin: 'https://evil.example' }, list)).status).toBe(403);
  });

  test.each([
    ['another place', 'POST', list, '/', 404],
    ['another method', 'GET', '', '/mcp', 405],
    ['no JSON', 'POST', '{', '/mcp', 400],
    ['too much', 'POST', 'x'.repeat(200_000), '/mcp', 413],
  ])('%s is refused', async (_, method, body, path, status) => {
    expect((await ask(method, {}, body, path)).status).toBe(status);
  });
});

describe('over standard input and output', () => {
  const args = () => ['mcp', '--server', `127.0.0.1:${source.endpoint.port}`, '--interval', '200 ms'];

  test('`escapement mcp` is all that an MCP client has to start', async () => {
    const client = new Client({ name: 'test', version: '1' });
    const transport = new StdioClientTransport({ command: process.execPath, args: [bin, ...args()], stderr: 'pipe' });
    let log = '';
    transport.stderr!.on('data', (data: Buffer) => (log += data.toString()));
    await client.connect(transport as Parameters<Client['connect']>[0]);
    await tellsTheTime(client);
    expect(log).toMatch(/NTP: offset=\+/);
    await client.close();
  });

  test('nothing but the protocol is on standard output, and the end of the input is the end', async () => {
    const { child, ended } = start(args());
    const initialize = {
      ...{ jsonrpc: '2.0', id: 1, method: 'initialize' },
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    };
    child.stdin.write(`${JSON.stringify(initialize)}\n`);
    await new Promise(resolve => child.stdout.once('data', resolve));
    await new Promise(resolve => setTimeout(resolve, 700));
    child.stdin.end();
    const { code, stdout } = await ended;
    expect(code).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({ id: 1, result: { serverInfo: { name: 'escapement' } } });
  });
});
