import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type QuickAnswer, QuickAnswers } from '../../src/platform/quick-answers.js';

/** A server in front, and one behind that tells what it was asked. */
async function serving(idle = 10_000, answer = (): QuickAnswer => ({ code: 200, body: '{"µ":1}' })): Promise<number> {
  const behind = createServer((request, response) => {
    response.end(`behind: ${request.method} ${request.url}`);
  });
  const front = new QuickAnswers(behind, '/time', answer, idle);
  open.push(() => {
    front.close();
    behind.closeAllConnections();
  });
  await new Promise<void>(done => front.server.listen(0, '127.0.0.1', done));
  return (front.server.address() as AddressInfo).port;
}

/** A connection as a client has it: what came back so far. */
function client(port: number): { readonly socket: Socket; said(): string; readonly closed: Promise<void> } {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  open.push(() => socket.destroy());
  let text = '';
  socket.on('data', (data: string) => {
    text += data;
  });
  socket.on('error', () => socket.destroy());
  return { socket, said: () => text, closed: new Promise(done => socket.once('close', () => done())) };
}

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

const PLAIN = 'GET /time HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('an answer from the bytes of the question', () => {
  test('is a whole answer in HTTP, on a connection that is kept', async () => {
    const { socket, said } = client(await serving());
    for (let asked = 1; asked <= 3; asked++) {
      socket.write(PLAIN);
      await expect.poll(() => said().split('HTTP/1.1 200 OK').length - 1).toBe(asked);
    }
    expect(said()).toMatch(
      /content-length: 8\r\ndate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\nconnection: keep-alive\r\n\r\n\{"µ":1\}HTTP/,
    );
    expect(said()).not.toContain('behind');
  });

  test('is understood by a client that somebody else wrote, and says what went wrong', async () => {
    const fine = await fetch(`http://127.0.0.1:${await serving()}/time`);
    expect([fine.status, await fine.json()]).toEqual([200, { µ: 1 }]);
    const wrong = await fetch(`http://127.0.0.1:${await serving(1000, () => ({ code: 500, body: '{}' }))}/time`);
    expect([wrong.status, wrong.statusText]).toEqual([500, 'Internal Server Error']);
  });

  test.each([
    ['another path', 'GET /status HTTP/1.1\r\nHost: x\r\n\r\n', 'behind: GET /status'],
    ['a parameter', 'GET /time?at=0 HTTP/1.1\r\nHost: x\r\n\r\n', 'behind: GET /time?at=0'],
    ['another method', 'HEAD /time HTTP/1.1\r\nHost: x\r\n\r\n', 'HTTP/1.1 200 OK'],
    ['an older protocol', 'GET /time HTTP/1.0\r\n\r\n', 'behind: GET /time'],
    ['the end of the connection', 'GET /time HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 'behind: GET /time'],
    ['a body', 'GET /time HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab', 'behind: GET /time'],
    ['no host', 'GET /time HTTP/1.1\r\nAccept: */*\r\n\r\n', '400 Bad Request'],
    ['a header that is none', 'GET /time HTTP/1.1\r\nHost: x\r\nwhat is this\r\n\r\n', '400 Bad Request'],
    ['no HTTP', '\x16\x03\x01', '400 Bad Request'],
    [
      'too much',
      `GET /time HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(40_000)}\r\n\r\n`,
      '431 Request Header Fields Too Large',
    ],
  ])('leaves %s to the HTTP server', async (_what, question, answer) => {
    const { socket, said } = client(await serving());
    socket.write(question);
    await expect.poll(said).toContain(answer);
    expect(said()).not.toContain('µ');
  });

  test('leaves questions that come in pieces or together to it, after any number of its own, in their order', async () => {
    const port = await serving();
    const slow = client(port);
    slow.socket.write(PLAIN);
    await expect.poll(slow.said).toContain('µ');
    slow.socket.write(PLAIN.slice(0, 20));
    await sleep(20);
    slow.socket.write(PLAIN.slice(20));
    await expect.poll(slow.said).toMatch(/"µ":1\}HTTP[\s\S]*behind: GET \/time$/);
    // Handed over for good.
    slow.socket.write(PLAIN);
    await expect.poll(() => slow.said().split('behind').length).toBe(3);
    const quick = client(port);
    quick.socket.write(`${PLAIN}GET /next HTTP/1.1\r\nHost: x\r\n\r\n`);
    await expect.poll(quick.said).toMatch(/behind: GET \/timeHTTP[\s\S]*behind: GET \/next$/);
  });

  test('comes no more after a while without a question, nor after the end', async () => {
    const idle = client(await serving(50));
    await idle.closed;
    const port = await serving();
    const kept = client(port);
    kept.socket.write(PLAIN);
    await expect.poll(kept.said).toContain('µ');
    for (const close of open.splice(0)) close();
    await kept.closed;
    const refused = client(port);
    await refused.closed;
    expect(refused.said()).toBe('');
  });

  test('waits for a client that does not read, and holds little for it', async () => {
    let answers = 0;
    const port = await serving(10_000, () => {
      answers += 1;
      return { code: 200, body: JSON.stringify('x'.repeat(200_000)) };
    });
    const { socket, said } = client(port);
    socket.pause();
    socket.write(PLAIN);
    await expect.poll(() => answers, { timeout: 10_000 }).toBeGreaterThan(0);
    let before = -1;
    while (answers !== before) {
      before = answers;
      for (let i = 0; i < 10; i++) {
        socket.write(PLAIN);
        await sleep(5);
      }
    }
    expect(answers).toBeLessThan(50);
    // What has piled up meanwhile comes together, and so is for the HTTP server.
    socket.resume();
    await expect.poll(said, { timeout: 10_000 }).toContain('behind: GET /time');
  });
});
