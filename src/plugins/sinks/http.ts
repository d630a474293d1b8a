import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import type { Server } from 'node:net';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import { inject } from 'inversify';
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { z } from 'zod';
import { version } from '../../../package.json';
import {
  DROPS,
  type EventRecord,
  type ExchangeRecord,
  type RoundRecord,
  type RunInfo,
  type Sink,
  type Snapshot,
  type TimeService,
} from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';
import { Report } from '../../core/plugin/tokens.js';
import { duration, parseQuantity } from '../../core/quantity.js';
import {
  BoardState,
  ErrorDocument,
  EventEntry,
  HealthDocument,
  HistoryDocument,
  StatusDocument,
  TimeDocument,
} from '../../core/serving/documents.js';
import { parseInstant } from '../../core/serving/instants.js';
import { StatusBoard } from '../../core/serving/status-board.js';
import { type QuickAnswer, QuickAnswers } from '../../platform/quick-answers.js';

const Options = z.strictObject({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .meta({ description: 'Address to listen on. There is no authentication: others than this machine are told all.' }),
  port: z.int().min(0).max(65535).default(8623).meta({ description: 'TCP port; 0: a free one, which is reported.' }),
  every: duration('How long a client of /events waits at most for the next status.').prefault('2 s'),
  healthy: duration('`/healthz` says 503 while the maximum error is more than this.').prefault('1 s'),
  history: z.int().min(1).max(1_000_000).default(3600).meta({ description: 'Points of each line of `/history`.' }),
  events: z.int().min(1).max(100_000).default(200).meta({ description: 'How many of the last events are kept.' }),
  page: z
    .string()
    .optional()
    .meta({ description: 'An HTML file that is served at `/`: the dashboard of `escapement live --dashboard`.' }),
  clients: z.int().min(1).default(64).meta({ description: 'How many may listen to `/events` at the same time.' }),
});

/** Of what it keeps: see StatusBoard. */
const VERSION = 1;

/** `at` may be so far from now, seconds: a century. */
const FARTHEST = 100 * 365.25 * 86_400;

/** How long a connection is kept for the next question, milliseconds. */
const KEEP_ALIVE = 72_000;

/** What belongs to one round is told together: pipelines answer one after another. Milliseconds. */
const TOGETHER = 20;

/** A listener that has not taken this many bytes yet is not listening any more. */
const BACKLOG = 4_000_000;

/**
 * HTTP for programs on this machine (and others, if `host` says so): the corrected time with its bounds, now and at other
 * instants; what the run is doing, once or as Server-Sent Events; Prometheus metrics; an OpenAPI document of it all.
 */
@plugin({
  kind: 'sink',
  name: 'http',
  summary: 'The corrected time, the status and Prometheus metrics over HTTP',
  options: Options,
  example: { port: 0 },
})
export class HttpSink implements Sink {
  private board: StatusBoard | undefined;
  private earlier: BoardState | undefined;
  private server: FastifyInstance | undefined;
  private front: QuickAnswers | undefined;
  private metrics: Metrics | undefined;
  private readonly listeners = new Set<ServerResponse>();
  private beat: ReturnType<typeof setInterval> | undefined;
  private pending: ReturnType<typeof setTimeout> | undefined;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Report) private readonly report: Report,
  ) {}

  async start(info: RunInfo, time: TimeService): Promise<void> {
    const { host, port, every, history, events } = this.options;
    const board = new StatusBoard(info, time, { history, events });
    if (this.earlier !== undefined) board.restore(this.earlier);
    this.board = board;
    this.metrics = new Metrics(board, time);
    const server = fastify({
      logger: false,
      forceCloseConnections: true,
      // Node's own 5 s are often over just as a client asks again.
      keepAliveTimeout: KEEP_ALIVE,
    });
    this.server = server;
    const front = new QuickAnswers(server.server, '/time', () => timeNow(board), KEEP_ALIVE);
    this.front = front;
    routes(server, board, info, this.metrics, this.options, (reply, last) => this.listen(reply, last));
    try {
      await server.ready();
      await listening(front.server, host, port);
    } catch (error) {
      throw new InputError('sink http', cannotListen(error, host, port), 'see its options host and port');
    }
    // The run, not its listeners, keeps the process alive.
    front.server.unref();
    this.beat = setInterval(() => this.tell(), every * 1000).unref();
    const bound = front.server.address();
    const actual = typeof bound === 'object' && bound !== null ? bound.port : port;
    this.report(`listens on http://${host.includes(':') ? `[${host}]` : host}:${actual}`);
  }

  snapshot(): Snapshot {
    return { version: VERSION, state: this.board?.snapshot() };
  }

  restore(snapshot: Snapshot): void {
    this.earlier = stateIn(snapshot, VERSION, BoardState);
  }

  exchange(record: ExchangeRecord): void {
    this.board?.exchange(record);
    this.metrics?.exchange(record);
  }

  round(record: RoundRecord): void {
    this.board?.round(record);
    this.metrics?.round(record);
    this.tellSoon();
  }

  event(record: EventRecord): void {
    const entry = this.board?.event(record);
    if (entry === undefined) return;
    this.metrics?.event(record);
    const text = frame('event', entry.id, entry);
    for (const listener of this.listeners) this.write(listener, text);
    this.tellSoon();
  }

  async finish(): Promise<void> {
    clearInterval(this.beat);
    clearTimeout(this.pending);
    for (const listener of this.listeners) listener.end();
    this.listeners.clear();
    this.front?.close();
    this.server?.server.closeAllConnections();
    await this.server?.close();
  }

  private tellSoon(): void {
    if (this.listeners.size === 0) return;
    this.pending ??= setTimeout(() => this.tell(), TOGETHER).unref();
  }

  private tell(): void {
    clearTimeout(this.pending);
    this.pending = undefined;
    if (this.listeners.size === 0 || this.board === undefined) return;
    this.beat?.refresh();
    const text = this.statusFrame(this.board);
    for (const listener of this.listeners) this.write(listener, text);
  }

  private statusFrame(board: StatusBoard): string {
    return frame('status', board.id, board.status());
  }

  /** One more client of /events: what it has missed since the number `last`, then the status, then each that follows. */
  private listen(reply: FastifyReply, last: number | undefined): void {
    const board = this.board!;
    reply.hijack();
    const { raw } = reply;
    if (this.listeners.size >= this.options.clients) {
      raw.writeHead(503, { 'content-type': 'application/json', 'retry-after': '10' });
      raw.end(JSON.stringify(problem(503, `${this.options.clients} clients listen already`)));
      return;
    }
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    raw.write('retry: 1000\n\n');
    if (last !== undefined) for (const entry of board.eventsSince(last)) raw.write(frame('event', entry.id, entry));
    raw.write(this.statusFrame(board));
    this.listeners.add(raw);
    raw.on('close', () => this.listeners.delete(raw));
    raw.on('error', () => this.listeners.delete(raw));
  }

  private write(listener: ServerResponse, text: string): void {
    if (listener.writableLength > BACKLOG) {
      this.listeners.delete(listener);
      listener.destroy();
      return;
    }
    listener.write(text);
  }
}

/** One Server-Sent Event. Its number lets a client that comes again go on where it was. */
function frame(event: string, id: number, data: unknown): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function problem(statusCode: number, message: string): z.infer<typeof ErrorDocument> {
  return { statusCode, error: NAMES[statusCode] ?? 'Error', message };
}
const NAMES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

function cannotListen(error: unknown, host: string, port: number): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} of ${host} is taken: another program listens there`;
    case 'EACCES':
      return `may not listen on port ${port} of ${host}: ports under 1024 need a privilege`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} is no address of this machine`;
    default:
      return `cannot listen on port ${port} of ${host}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** `GET /time` without anything more. */
function timeNow(board: StatusBoard): QuickAnswer {
  try {
    return { code: 200, body: JSON.stringify(board.timeAt(undefined)) };
  } catch (error) {
    return { code: 500, body: JSON.stringify(problem(500, error instanceof Error ? error.message : String(error))) };
  }
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((done, failed) => {
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      done();
    });
  });
}

type Query = Readonly<Record<string, string | string[] | undefined>>;

/** A parameter that is given at most once. */
function single(query: Query, name: string): string | undefined {
  const value = query[name];
  if (Array.isArray(value)) throw new BadQuestion(400, `expected ${name} once, found it ${value.length} times`);
  return value;
}

class BadQuestion extends Error {
  constructor(
    readonly statusCode: number,
    message: string,
  ) {
    super(message);
  }
}

function onlyKnown(query: Query, known: readonly string[]): void {
  const other = Object.keys(query).find(name => !known.includes(name));
  if (other !== undefined) {
    throw new BadQuestion(400, `unknown parameter '${other}' (known: ${known.join(', ') || 'none'})`);
  }
}

function routes(
  server: FastifyInstance,
  board: StatusBoard,
  info: RunInfo,
  metrics: Metrics,
  options: z.output<typeof Options>,
  listen: (reply: FastifyReply, last: number | undefined) => void,
): void {
  const document = openApi(info);
  const response = (schema: z.ZodType): object => z.toJSONSchema(schema, { target: 'draft-7', reused: 'inline' });
  server.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });
  server.setNotFoundHandler(async ({ method, url }, reply) => {
    const [path] = url.split('?');
    const known = Object.keys(PATHS);
    return known.includes(path!)
      ? reply
          .code(405)
          .header('allow', 'GET, HEAD')
          .send(problem(405, `${method} is not answered here, GET is`))
      : reply.code(404).send(problem(404, `nothing at ${path} (known: ${known.join(', ')})`));
  });
  server.setErrorHandler(async (error: unknown, _request, reply) => {
    if (error instanceof InputError) {
      return reply
        .code(404)
        .send(problem(404, `${error.problem}${error.hint === undefined ? '' : ` (${error.hint})`}`));
    }
    const code = error instanceof BadQuestion ? error.statusCode : codeOf(error);
    return reply.code(code).send(problem(code, error instanceof Error ? error.message : String(error)));
  });

  server.get<{ Querystring: Query }>(
    '/time',
    { schema: { response: { 200: response(TimeDocument) } } },
    async request => {
      const { query } = request;
      onlyKnown(query, ['at', 'pipeline']);
      return board.timeAt(instant(query, board, info.epoch), single(query, 'pipeline'));
    },
  );
  server.get<{ Querystring: Query }>('/status', async ({ query }) => {
    onlyKnown(query, []);
    return board.status();
  });
  server.get<{ Querystring: Query }>('/history', async ({ query }) => {
    onlyKnown(query, ['since']);
    const since = single(query, 'since');
    if (since === undefined) return board.history();
    const parsed = parseInstant(since, 0);
    if (typeof parsed === 'string') throw new BadQuestion(400, `since: ${parsed}`);
    return board.history(parsed);
  });
  server.get('/healthz', async (_request, reply) => {
    const { healthy, reason, maxError } = board.health(options.healthy);
    return reply.code(healthy ? 200 : 503).send({ status: healthy ? 'ok' : 'unavailable', reason, maxError });
  });
  server.get('/events', (request, reply) => {
    const last = request.headers['last-event-id'];
    const id = typeof last === 'string' && /^\d{1,15}$/.test(last) ? Number(last) : undefined;
    listen(reply, id);
  });
  server.get('/metrics', async (_request, reply) => reply.type(metrics.contentType).send(await metrics.text()));
  server.get('/openapi.json', async () => document);
  if (options.page !== undefined) servePage(server, options.page);
}

/** A page at `/`, compressed once: it is some hundred kilobytes, and the same for everybody. */
function servePage(server: FastifyInstance, file: string): void {
  const page = pageIn(file);
  const compressed = { br: brotliCompressSync(page), gzip: gzipSync(page, { level: 9 }) } as const;
  server.get('/', (request, reply) => {
    const accepted = String(request.headers['accept-encoding'] ?? '');
    const encoding = (['br', 'gzip'] as const).find(name => new RegExp(`\\b${name}\\b`).test(accepted));
    reply.type('text/html; charset=utf-8').header('vary', 'accept-encoding');
    if (encoding !== undefined) reply.header('content-encoding', encoding);
    return reply.send(encoding === undefined ? page : compressed[encoding]);
  });
}

function pageIn(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    const why = error instanceof Error ? error.message.split(',')[0] : String(error);
    throw new InputError('sink http', `its page cannot be read: ${why}`);
  }
}

function codeOf(error: unknown): number {
  const code = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  return code >= 400 && code < 600 ? code : 500;
}

/** `at` as seconds since the epoch: an instant, or from now (`+30s`, `-2 min`). */
function instant(query: Query, board: StatusBoard, epoch: number): number | undefined {
  const text = single(query, 'at');
  if (text === undefined) return undefined;
  const { unix } = board.timeAt(undefined, single(query, 'pipeline'));
  const now = unix.seconds - epoch + unix.nanoseconds / 1e9;
  // A plus in a URL is a blank.
  const relative = /^[ +-]\s*[\d.]+\s*[a-zµμ]+$/i.test(text)
    ? parseQuantity(text.replace(/^ /, '+'), 'time')
    : undefined;
  const at = relative === undefined ? parseInstant(text, epoch) : relative;
  if (typeof at === 'string') throw new BadQuestion(400, `at: ${at}; or from now, such as +30s`);
  const target = relative === undefined ? at : now + at;
  if (!(Math.abs(target - now) <= FARTHEST)) throw new BadQuestion(400, `at: ${text} is more than a century from now`);
  return target;
}

/** Gauges are read when they are asked for, from the same board as everything else. */
class Metrics {
  private readonly registry = new Registry();
  private readonly questions: Counter;
  private readonly dropped: Counter;
  private readonly rounds: Counter;
  private readonly events: Counter;
  private readonly asked: Counter;
  private readonly untold: Counter;
  private readonly told: Counter;

  private readonly refresh: () => void;

  constructor(
    board: StatusBoard,
    private readonly time: TimeService,
  ) {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    const pipeline = ['pipeline'] as const;
    const gauge = (name: string, help: string, labelNames: readonly string[]): Gauge =>
      new Gauge({ name: `escapement_${name}`, help, labelNames: [...labelNames], registers });
    const offset = gauge('offset_seconds', 'What to add to the wall clock.', pipeline);
    const uncertainty = gauge('uncertainty_seconds', 'Half-width of the statistical interval.', [...pipeline, 'level']);
    const maxError = gauge('max_error_seconds', 'True time is not farther away than this.', pipeline);
    const drift = gauge('drift_ratio', 'How much the estimated clock loses, seconds per second.', pipeline);
    const deviation = gauge('drift_deviation_ratio', 'One standard deviation of the drift.', pipeline);
    const age = gauge('reference_age_seconds', 'Since the last measurement that was applied.', pipeline);
    const synchronised = gauge('synchronised', '1 while a time with bounds is told and servers are heard.', pipeline);
    const source = ['source'] as const;
    const sourceOffset = gauge('source_offset_seconds', 'What to add to the wall clock, by the last answer.', source);
    const delay = gauge('source_delay_seconds', 'Round trip of the last answer.', source);
    const jitter = gauge('source_jitter_seconds', 'RMS of the differences of the last offsets.', source);
    const stratum = gauge('source_stratum', 'Stratum of the last answer.', source);
    const reach = gauge('source_reach_ratio', 'Share of the last eight questions that were answered.', source);
    const poll = gauge('source_poll_seconds', 'Between the last two questions.', source);
    const standing = gauge('source_standing', '1 for what the first pipeline thinks of it.', [...source, 'standing']);
    const about = gauge('info', 'The version and the run.', ['version', 'name']);
    this.refresh = () => {
      const { pipelines, sources, service } = board.status();
      about.set({ version, name: service.name }, 1);
      for (const { name, phase, now } of pipelines) {
        const labels = { pipeline: name };
        offset.set(labels, now.offset);
        synchronised.set(labels, phase === 'synchronised' ? 1 : 0);
        set(uncertainty, { ...labels, level: String(now.level) }, now.uncertainty);
        set(maxError, labels, now.maxError);
        set(drift, labels, now.drift);
        set(deviation, labels, now.driftDeviation);
        set(age, labels, now.age);
      }
      standing.reset();
      for (const one of sources) {
        const labels = { source: one.name };
        set(sourceOffset, labels, one.offset);
        set(delay, labels, one.delay);
        set(jitter, labels, one.jitter);
        set(stratum, labels, one.stratum);
        set(poll, labels, one.poll);
        reach.set(labels, ones(one.reach) / Math.min(8, Math.max(1, one.asked)));
        standing.set({ ...labels, standing: one.standing }, 1);
      }
    };
    const counter = (name: string, help: string, labelNames: string[]): Counter =>
      new Counter({ name: `escapement_${name}_total`, help, labelNames, registers });
    this.questions = counter('source_questions', 'Questions by how they ended.', ['source', 'result']);
    this.dropped = counter('source_dropped_datagrams', 'Datagrams that were dropped, by why they were no answer.', [
      'source',
      'reason',
    ]);
    this.rounds = counter('rounds', 'Rounds by whether one of their measurements was applied.', ['pipeline', 'result']);
    this.events = counter('events', 'Events that people should know of.', ['part']);
    this.asked = counter('model_questions', 'Questions to a trained model.', ['part']);
    this.untold = counter('model_answers_dropped', 'Answers of a model that were not told, by why.', [
      'part',
      'reason',
    ]);
    this.told = counter('model_estimates_told', "Estimates told, by whether the model's word.", ['part', 'by']);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  text(): Promise<string> {
    this.refresh();
    this.countModels();
    return this.registry.metrics();
  }

  /** Predictors keep these counts themselves. */
  private countModels(): void {
    for (const counter of [this.asked, this.untold, this.told]) counter.reset();
    for (const { part, asked, late, dropped, told } of this.time.models()) {
      this.asked.inc({ part }, asked);
      for (const [reason, count] of [['late', late] as const, ...Object.entries(dropped)]) {
        this.untold.inc({ part, reason }, count);
      }
      for (const [by, count] of Object.entries(told ?? {})) this.told.inc({ part, by }, count);
    }
  }

  exchange({ event }: ExchangeRecord): void {
    const { source } = event.type === 'exchange' ? event.exchange : event.failure;
    this.questions.inc({ source, result: event.type === 'exchange' ? 'answered' : 'failed' });
    // From the first question on, so that a rate sees the first that is dropped.
    for (const reason of DROPS) this.dropped.inc({ source, reason }, event.dropped?.[reason] ?? 0);
  }

  round({ pipeline, taken, declined }: RoundRecord): void {
    this.rounds.inc({ pipeline, result: taken.length > 0 && declined === undefined ? 'applied' : 'passed' });
  }

  event({ part }: EventRecord): void {
    this.events.inc({ part });
  }
}

/** What is not known is not exported. */
function set(gauge: Gauge, labels: Record<string, string>, value: number | null): void {
  if (value === null) gauge.remove(labels);
  else gauge.set(labels, value);
}

function ones(byte: number): number {
  return [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, bit) => sum + ((byte >> bit) & 1), 0);
}

const PATHS = {
  '/time': {
    summary: 'The corrected time with its bounds',
    description: 'Now; or what would be told `at` another instant if nothing more were measured: bounds grow.',
    parameters: [
      parameter('at', 'RFC 3339, Unix seconds, or from now: `+30s`, `-2min` (a plus in a URL is `%2B`).'),
      parameter('pipeline', 'Whose; left out, the first one’s.'),
    ],
    responses: {
      200: json('Time', 'The time.'),
      400: json('Error', 'No such instant.'),
      404: json('Error', 'No such pipeline.'),
    },
  },
  '/status': {
    summary: 'What the run is doing: pipelines, servers, events',
    responses: { 200: json('Status', 'The status.') },
  },
  '/history': {
    summary: 'Offsets and drift over time',
    parameters: [parameter('since', 'Only what is later: RFC 3339 or Unix seconds.')],
    responses: { 200: json('History', 'The history.'), 400: json('Error', 'No such instant.') },
  },
  '/healthz': {
    summary: 'Whether the time is known well enough',
    responses: { 200: json('Health', 'It is.'), 503: json('Health', 'It is not.') },
  },
  '/events': {
    summary: 'Server-Sent Events of every update',
    description:
      '`status` holds the status document, after each round and at least every few seconds; `event` one event. Every message has a number: with `Last-Event-ID` a client that comes again is told the events that it missed.',
    responses: { 200: { description: 'A stream.', content: { 'text/event-stream': { schema: { type: 'string' } } } } },
  },
  '/metrics': {
    summary: 'Prometheus metrics',
    responses: {
      200: { description: 'Prometheus’ text format.', content: { 'text/plain': { schema: { type: 'string' } } } },
    },
  },
  '/openapi.json': {
    summary: 'This document',
    responses: {
      200: { description: 'OpenAPI 3.1.', content: { 'application/json': { schema: { type: 'object' } } } },
    },
  },
} as const;

function parameter(name: string, description: string): object {
  return { name, in: 'query', required: false, description, schema: { type: 'string' } };
}

function json(schema: string, description: string): object {
  return { description, content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } } };
}

function openApi({ scenario }: RunInfo): object {
  const schemas = z.toJSONSchema(
    z.object({
      time: TimeDocument,
      status: StatusDocument,
      history: HistoryDocument,
      health: HealthDocument,
      event: EventEntry,
      error: ErrorDocument,
    }),
    { target: 'draft-2020-12' },
  );
  return {
    openapi: '3.1.0',
    info: {
      title: `Escapement: ${scenario}`,
      version,
      description: 'The corrected time of this machine, with bounds.',
    },
    paths: Object.fromEntries(Object.entries(PATHS).map(([path, get]) => [path, { get }])),
    components: { schemas: definitionsOf(schemas) },
  };
}

/** Where zod puts shared schemas. References in them name the place where the document has them. */
function definitionsOf(schema: object): object {
  const { $defs = {} } = schema as { $defs?: Record<string, object> };
  const text = JSON.stringify($defs).replaceAll('"#/$defs/', '"#/components/schemas/');
  return JSON.parse(text) as object;
}
