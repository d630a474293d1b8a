import type { Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';

/** A question is taken here only if its bytes are these, all that a client sends with it is headers, and it ends here. */
const PLAIN = /^GET (\S+) HTTP\/1\.1\r\n(?:[!#$%&'*+.^_`|~\w-]+:[^\r\n\0]*\r\n)+\r\n$/;
/** Headers that ask for more than an answer. */
const SPECIAL = /\r\n(?:content-length|transfer-encoding|expect|upgrade|connection:(?!\s*keep-alive\s*\r))/i;
const HOST = /\r\nhost:/i;
/** Longer questions are not plain. */
const LONGEST = 2048;

/** The body of a 200 in JSON, or of another status. */
export interface QuickAnswer {
  readonly code: 200 | 500;
  readonly body: string;
}

/**
 * A TCP server in front of an HTTP server: the one question that is asked thousands of times a second, a plain
 * `GET PATH` on a kept connection, is answered from its bytes; a connection on which anything else is asked is handed to
 * the HTTP server, whole and for good. Of what such an answer costs, Node's HTTP server takes half.
 */
export class QuickAnswers {
  readonly server: Server;
  /** Connections on which only the one question was asked so far. */
  private readonly own = new Set<Socket>();
  /** The last bytes that were the question: clients ask it with the same ones every time. */
  private known: Buffer = Buffer.alloc(0);

  /** @param idle after how many milliseconds a connection without a question is closed */
  constructor(
    private readonly http: HttpServer,
    private readonly path: string,
    private readonly answer: () => QuickAnswer,
    private readonly idle: number,
  ) {
    this.server = createServer({ noDelay: true }, socket => this.serve(socket));
  }

  /** Takes no more connections and ends those that it has; the HTTP server's are for it to end. */
  close(): void {
    this.server.close();
    for (const socket of this.own) socket.destroy();
  }

  private serve(socket: Socket): void {
    this.own.add(socket);
    const away = (): void => {
      this.own.delete(socket);
    };
    const idle = (): void => {
      socket.destroy();
    };
    const hear = (data: Buffer): void => {
      if (this.isQuestion(data)) {
        // Who does not read the answers is not read from either.
        if (!socket.write(responseOf(this.answer()))) {
          socket.pause();
          socket.once('drain', () => socket.resume());
        }
        return;
      }
      socket.off('data', hear).off('close', away).off('error', idle).off('timeout', idle);
      socket.setTimeout(0);
      away();
      socket.pause();
      socket.unshift(data);
      this.http.emit('connection', socket);
      socket.resume();
    };
    socket.setTimeout(this.idle);
    socket.on('data', hear).on('close', away).on('error', idle).on('timeout', idle);
  }

  private isQuestion(data: Buffer): boolean {
    if (data.equals(this.known)) return true;
    if (data.length > LONGEST) return false;
    const text = data.toString('latin1');
    if (PLAIN.exec(text)?.[1] !== this.path || SPECIAL.test(text) || !HOST.test(text)) return false;
    this.known = data;
    return true;
  }
}

/** The header `date` of the second `since` the Unix epoch: a text that many answers share. */
const date = { since: 0, text: '' };

function responseOf({ code, body }: QuickAnswer): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== date.since) {
    date.since = second;
    date.text = new Date(1000 * second).toUTCString();
  }
  return (
    `HTTP/1.1 ${code === 200 ? '200 OK' : '500 Internal Server Error'}\r\ncontent-type: application/json; charset=utf-8\r\n` +
    `cache-control: no-store\r\ncontent-length: ${Buffer.byteLength(body)}\r\ndate: ${date.text}\r\n` +
    `connection: keep-alive\r\n\r\n${body}`
  );
}
