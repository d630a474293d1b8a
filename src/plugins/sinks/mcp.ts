import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { inject } from 'inversify';
import { z } from 'zod';
import { version } from '../../../package.json';
import type {
  EventRecord,
  ExchangeRecord,
  RoundRecord,
  RunInfo,
  Sink,
  TimeService,
} from '../../core/contracts/index.js';
import { isLoopback } from '../../core/ntp/server-address.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Report } from '../../core/plugin/tokens.js';
import { formatDuration, formatTime } from '../../core/quantity.js';
import { StatusDocument, TimeDocument } from '../../core/serving/documents.js';
import { parseInstant } from '../../core/serving/instants.js';
import { cannotListen } from '../../core/serving/listening.js';
import { happenedBefore } from '../../core/serving/ordering.js';
import { expectServable } from '../../core/serving/real-time.js';
import { StatusBoard } from '../../core/serving/status-board.js';
import { trustOptions, whyUnknown } from '../../core/serving/trust.js';

const Options = z.strictObject({
  transport: z.enum(['stdio', 'http']).default('http').meta({
    description: 'stdio: standard input and output, which are then for nothing else. http: Streamable HTTP at /mcp.',
  }),
  address: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .meta({ description: 'Where http listens. There is no authentication: others than this machine may ask, too.' }),
  port: z.int().min(0).max(65535).default(8624).meta({ description: 'TCP port of http; 0 takes a free one.' }),
  ...trustOptions,
});

const PATH = '/mcp';
/** Longest request that is read, bytes. */
const LONGEST = 100_000;
/** Clients that may wait for a time at once. */
const WAITERS = 256;
/** Longest a client may be kept waiting by one call, seconds. */
const PATIENCE = 3600;
/** Most clients give up after a minute. */
const USUAL_PATIENCE = 50;
/** A wait looks at the clock so often at least, seconds: it may be corrected meanwhile. */
const NAP = 1;

const instant = (description: string) =>
  z.union([z.string(), z.number()]).describe(`${description} RFC 3339 with an offset or Z, or Unix seconds.`);

const Bounds = z
  .object({
    earliest: instant('True time was not before this.').optional(),
    latest: instant('True time was not after this.').optional(),
    time: instant('Instead of both: a time…').optional(),
    maxError: z.number().min(0).optional().describe('… and the most that it can be wrong by, seconds.'),
  })
  .describe('When an event happened: earliest and latest, or time and maxError, as get_time gives them.');

const Comparison = z.object({
  order: z.enum(['before', 'after', 'cannot be told']).describe('a happened before b, after b, or the bounds overlap.'),
  gap: z.number().describe('Seconds between the bounds; negative: by so much they overlap.'),
});

const Wait = z.object({
  reached: z.boolean().describe('False if the patience ended first.'),
  now: TimeDocument,
});

/** What is wrong with a call, for whoever made it. */
class BadCall extends Error {}

/**
 * The corrected time for agents, as tools of the Model Context Protocol: the time with its bounds, now and later, waiting
 * for one, the order of two events, and the status of the run.
 */
@plugin({
  kind: 'sink',
  name: 'mcp',
  summary: 'The corrected time as tools of the Model Context Protocol, over stdio or HTTP',
  options: Options,
  example: { port: 0 },
})
export class McpSink implements Sink {
  private pipeline = '';
  private epoch = 0;
  private time!: TimeService;
  private board!: StatusBoard;
  private http: Server | undefined;
  private stdio: McpServer | undefined;
  private readonly ended = new AbortController();
  private waiters = 0;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Report) private readonly report: Report,
  ) {}

  async start(run: RunInfo, time: TimeService): Promise<void> {
    this.pipeline = expectServable('mcp', run, this.options.pipeline);
    this.epoch = run.epoch;
    this.time = time;
    this.board = new StatusBoard(run, time, { history: 1, events: 50 });
    if (this.options.transport === 'stdio') {
      this.stdio = this.server();
      await this.stdio.connect(new StdioServerTransport());
      process.stdin.unref?.();
      this.report('speaks the Model Context Protocol on standard input and output');
    } else {
      this.http = await this.listen();
      const address = this.http.address();
      const { host, port } = {
        host: this.options.address,
        port: typeof address === 'object' ? address?.port : undefined,
      };
      this.report(
        `speaks the Model Context Protocol at http://${host.includes(':') ? `[${host}]` : host}:${port}${PATH}`,
      );
    }
  }

  exchange(record: ExchangeRecord): void {
    this.board.exchange(record);
  }

  round(record: RoundRecord): void {
    this.board.round(record);
  }

  event(record: EventRecord): void {
    this.board.event(record);
  }

  async finish(): Promise<void> {
    this.ended.abort();
    await this.stdio?.close();
    this.http?.close();
    this.http?.closeAllConnections();
  }

  /** A server with all tools: one for each request where requests know nothing of each other. */
  private server(): McpServer {
    const server = new McpServer(
      { name: 'escapement', version },
      {
        instructions:
          'The time of this machine, corrected against NTP servers. Use earliest and latest to order events and to be ' +
          'sure: true time lies between them. `uncertainty` is a statistical interval, not a bound.',
      },
    );
    const readOnly = { readOnlyHint: true, openWorldHint: false };
    server.registerTool(
      'get_time',
      {
        title: 'The time now',
        description: 'The corrected time now, with the earliest and the latest that true time can be.',
        inputSchema: {},
        outputSchema: TimeDocument.shape,
        annotations: readOnly,
      },
      () => this.attempt(() => this.timeAnswer(this.board.timeAt(undefined, this.pipeline))),
    );
    server.registerTool(
      'get_time_with_future_uncertainty',
      {
        title: 'The bounds at a later time',
        description:
          'How well the time will be known at an instant to come if nothing more is measured until then: for planning ' +
          'what must not overlap.',
        inputSchema: {
          at: instant('The instant.').optional(),
          seconds: z
            .number()
            .min(0)
            .max(PATIENCE * 24 * 365)
            .optional()
            .describe('Instead: so many seconds from now.'),
        },
        outputSchema: TimeDocument.shape,
        annotations: readOnly,
      },
      ({ at, seconds }) =>
        this.attempt(() => {
          const target = this.target('at', at, seconds);
          const now = this.now().told.time;
          if (target < now)
            throw new BadCall(`expected an instant to come, found one ${formatDuration(now - target)} ago`);
          return this.timeAnswer(this.board.timeAt(target, this.pipeline));
        }),
    );
    server.registerTool(
      'wait_until',
      {
        title: 'Wait for a time',
        description:
          'Answers when an instant has come. By default when it has certainly passed (earliest), whatever the asymmetry ' +
          'of the network: what is done then happened after it.',
        inputSchema: {
          time: instant('The instant.').optional(),
          seconds: z.number().min(0).max(PATIENCE).optional().describe('Instead: so many seconds from now.'),
          until: z
            .enum(['earliest', 'time', 'latest'])
            .default('earliest')
            .describe('Which of them has to reach it: certainly passed, probably, or possibly.'),
          atMost: z
            .number()
            .min(0)
            .max(PATIENCE)
            .default(USUAL_PATIENCE)
            .describe('Answers after so many seconds anyway.'),
        },
        outputSchema: Wait.shape,
        annotations: readOnly,
      },
      ({ time, seconds, until, atMost }, { signal }) =>
        this.attempt(async () => {
          const reached = await this.wait(this.target('time', time, seconds), until, atMost, signal);
          const now = this.board.timeAt(undefined, this.pipeline);
          const text = `${reached ? 'It is time' : `Not yet, after ${formatDuration(atMost)}`}: ${this.sentence(now)}`;
          return { content: [{ type: 'text', text }], structuredContent: { reached, now } };
        }),
    );
    server.registerTool(
      'compare_timestamps',
      {
        title: 'Which of two events was first',
        description:
          'Whether event a happened before or after event b, from the bounds of both, also from different machines. Where ' +
          'the bounds overlap nobody can tell, and that is the answer.',
        inputSchema: { a: Bounds, b: Bounds },
        outputSchema: Comparison.shape,
        annotations: readOnly,
      },
      ({ a, b }) =>
        this.attempt(() => {
          const [first, second] = [this.boundsOf('a', a), this.boundsOf('b', b)];
          const before = happenedBefore(first, second);
          const gap = Math.max(second.earliest - first.latest, first.earliest - second.latest);
          const order = before === undefined ? 'cannot be told' : before ? 'before' : 'after';
          const text =
            before === undefined
              ? `It cannot be told: the bounds overlap by ${formatTime(-gap)}.`
              : `a happened ${order} b, by at least ${formatTime(gap)}.`;
          return { content: [{ type: 'text', text }], structuredContent: { order, gap } };
        }),
    );
    server.registerTool(
      'get_status',
      {
        title: 'How the time is kept',
        description: 'The servers and what is thought of them, what each pipeline tells, and what has happened lately.',
        inputSchema: {},
        outputSchema: StatusDocument.shape,
        annotations: readOnly,
      },
      () =>
        this.attempt(() => {
          const status = this.board.status();
          const used = status.sources.filter(
            ({ standing }) => standing === 'selected' || standing === 'combined',
          ).length;
          const text = `${status.service.phase}: ${used} of ${status.sources.length} servers used. ${this.sentence(this.board.timeAt(undefined, this.pipeline))}`;
          return { content: [{ type: 'text', text }], structuredContent: status };
        }),
    );
    return server;
  }

  /** A call's answer; what is wrong with a call is an answer, too. */
  private async attempt(work: () => ToolAnswer | Promise<ToolAnswer>): Promise<ToolAnswer> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof BadCall)) throw error;
      return { content: [{ type: 'text', text: error.message }], isError: true };
    }
  }

  private now() {
    return this.time.read(this.pipeline);
  }

  private timeAnswer(time: TimeDocument): ToolAnswer {
    return { content: [{ type: 'text', text: this.sentence(time) }], structuredContent: time };
  }

  private sentence({ time, maxError, uncertainty, level, source, age }: TimeDocument): string {
    const why = whyUnknown(this.now(), this.options);
    const doubt = why === undefined ? '' : ` Not to be relied on: ${why}.`;
    if (maxError === null) return `${time} by the bare wall clock.${doubt}`;
    const since = age === null ? '' : `, ${formatDuration(age)} after the last measurement`;
    return (
      `${time}, wrong by ${formatTime(maxError)} at most (${100 * level} %: ± ${formatTime(uncertainty)}), ` +
      `by ${source}${since}.${doubt}`
    );
  }

  /** Seconds since the run's epoch. */
  private target(name: string, at: string | number | undefined, seconds: number | undefined): number {
    if ((at === undefined) === (seconds === undefined)) {
      const found = at === undefined ? 'neither' : 'both';
      throw new BadCall(`expected either '${name}', an instant, or 'seconds' from now; found ${found}`);
    }
    return at === undefined ? this.now().told.time + seconds! : this.parse(at);
  }

  private parse(at: string | number): number {
    const parsed = parseInstant(String(at), this.epoch);
    if (typeof parsed === 'string') throw new BadCall(parsed);
    return parsed;
  }

  private boundsOf(name: string, { earliest, latest, time, maxError }: z.output<typeof Bounds>) {
    // The whole answer of get_time has both.
    const pair = earliest !== undefined && latest !== undefined;
    const middle = time !== undefined && maxError !== undefined;
    if (!pair && !middle) throw new BadCall(`${name}: expected earliest and latest, or time and maxError`);
    const bounds = pair
      ? { earliest: this.parse(earliest), latest: this.parse(latest) }
      : { earliest: this.parse(time!) - maxError!, latest: this.parse(time!) + maxError! };
    if (bounds.earliest > bounds.latest) throw new BadCall(`${name}: expected earliest not to be after latest`);
    return bounds;
  }

  /** True when the time has come, false when the patience has ended. */
  private async wait(
    target: number,
    until: 'earliest' | 'time' | 'latest',
    atMost: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (this.waiters >= WAITERS) throw new BadCall(`${WAITERS} clients wait already: ask again later`);
    const called = AbortSignal.any([signal, this.ended.signal]);
    const end = performance.now() + 1000 * atMost;
    this.waiters += 1;
    try {
      for (;;) {
        const answer = this.now();
        const why = whyUnknown(answer, this.options);
        if (why !== undefined) throw new BadCall(`the time is not known: ${why}`);
        const { time, maxError } = answer.told;
        const left = target - time + { earliest: maxError!, time: 0, latest: -maxError! }[until];
        if (left <= 0) return true;
        const patience = (end - performance.now()) / 1000;
        if (patience <= 0) return false;
        if (called.aborted) throw new BadCall('the wait was called off');
        await nap(Math.min(left, patience, NAP), called);
      }
    } finally {
      this.waiters -= 1;
    }
  }

  private async listen(): Promise<Server> {
    const { address, port } = this.options;
    const http = createServer((request, response) => void this.serve(request, response));
    try {
      await new Promise<void>((resolve, reject) => {
        http.once('error', reject);
        http.listen({ host: address, port, exclusive: true }, () => {
          http.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      throw cannotListen(`MCP server on ${address} port ${port}`, error);
    }
    // The run, not its listeners, keeps the process alive.
    return http.unref();
  }

  /** Each request by itself: nothing is kept of a client that does not come again. */
  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { pathname } = new URL(request.url ?? '/', 'http://localhost');
      if (pathname !== PATH) return refuse(response, 404, `nothing at ${pathname}: the protocol is spoken at ${PATH}`);
      if (request.method !== 'POST')
        return refuse(response, 405, 'expected POST: this server keeps no sessions', { allow: 'POST' });
      const stranger = this.strangerIn(request);
      if (stranger !== undefined) return refuse(response, 403, stranger);
      const body = await bodyOf(request);
      if (body === undefined) return refuse(response, 413, `expected at most ${LONGEST} bytes`);
      let message: unknown;
      try {
        message = JSON.parse(body);
      } catch {
        return refuse(response, 400, 'expected JSON');
      }
      const server = this.server();
      const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
      response.on('close', () => void server.close());
      await server.connect(transport as Parameters<McpServer['connect']>[0]);
      await transport.handleRequest(request, response, message);
    } catch {
      if (!response.headersSent) refuse(response, 500, 'the request could not be answered');
    }
  }

  /**
   * A page of the web that a browser shows may ask an address of this machine under a name of its own (DNS rebinding): on
   * loopback only names of loopback are answered, and no page but one of this machine's.
   */
  private strangerIn({ headers }: IncomingMessage): string | undefined {
    if (!isLoopback(this.options.address)) return undefined;
    const local = (host: string): boolean => isLoopback(host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'));
    if (headers.host !== undefined && !local(headers.host))
      return `expected a request to this machine, found one to ${headers.host}`;
    const { origin } = headers;
    if (origin === undefined) return undefined;
    const from = URL.canParse(origin) ? new URL(origin).host : origin;
    return local(from) ? undefined : `expected no page of another machine, found ${origin}`;
  }
}

interface ToolAnswer {
  readonly [key: string]: unknown;
  readonly content: { readonly type: 'text'; readonly text: string }[];
  readonly structuredContent?: Record<string, unknown>;
  readonly isError?: boolean;
}

function refuse(response: ServerResponse, status: number, message: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32_000, message }, id: null }));
}

/** The request's body; undefined if it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > LONGEST) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function nap(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, Math.ceil(seconds * 1000));
    signal.addEventListener('abort', end, { once: true });
  });
}
