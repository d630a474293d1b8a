import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseScenario } from '../../../src/cli/scenario-files.js';
import { runScenario } from '../../../src/core/experiment/run.js';
import { respond } from '../../../src/core/ntp/responder.js';
import type { HistoryDocument, StatusDocument, TimeDocument } from '../../../src/core/serving/documents.js';
import { SystemClock } from '../../../src/plugins/clocks/system.js';
import { NtpServer } from '../../../src/plugins/sinks/ntp-server.js';

const clock = new SystemClock({ through: 'auto' });
const epoch = Number(clock.epoch / 1_000_000_000n);
const state = { leap: 0, stratum: 1, precision: -20, rootDelay: 0, rootDispersion: 1e-3, referenceId: 0x47505300 };

/** By these the machine's clock is this far behind. */
const AHEAD = 0.1;
const LIE = 0.6;

async function listen(ahead: number): Promise<NtpServer> {
  return NtpServer.listen({
    address: '127.0.0.1',
    port: 0,
    epoch,
    state: () => state,
    now: () => clock.read().counter + ahead,
  });
}

interface Running {
  readonly base: string;
  readonly servers: readonly string[];
  get<T>(path: string): Promise<T>;
  stop(): Promise<unknown>;
}

/** A service on a free port, asking these servers every 100 ms. */
async function serve(
  servers: readonly (string | object)[],
  options: object = {},
  more: readonly object[] = [],
): Promise<Running> {
  const scenario = {
    name: 'served',
    world: { kind: 'real' },
    sources: { ntp: { use: 'ntp', servers, timeout: 1, poller: { use: 'fixed', interval: 0.1 } } },
    pipelines: [
      { name: 'voted', combiner: 'intersection', corrector: 'kalman' },
      { name: 'held', corrector: 'offset-only', timekeeper: 'hold' },
      ...more,
    ],
    sinks: [{ use: 'http', port: 0, ...options }],
  };
  const ending = new AbortController();
  let found: (base: string) => void;
  const listening = new Promise<string>(resolve => {
    found = resolve;
  });
  const run = runScenario({
    ...(await parseScenario(JSON.stringify(scenario), 'served.yaml')),
    signal: ending.signal,
    sinks: [
      {
        event: ({ what }) => {
          const address = /listens on (http:\S+)/.exec(what)?.[1];
          if (address !== undefined) found(address);
        },
      },
    ],
  });
  const base = await Promise.race([listening, run.then(() => Promise.reject(new Error('ended early')))]);
  return {
    base,
    servers: servers.map(String),
    get: async <T>(path: string) => (await fetch(`${base}${path}`)).json() as Promise<T>,
    stop: () => {
      ending.abort();
      return run;
    },
  };
}

async function until<T>(look: () => Promise<T>, holds: (found: T) => boolean): Promise<T> {
  for (let i = 0; ; i++) {
    const found = await look();
    if (holds(found)) return found;
    if (i === 400) throw new Error(`waited for nothing: ${JSON.stringify(found)}`);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

const seconds = ({ unix }: TimeDocument): number => unix.seconds + unix.nanoseconds / 1e9;

describe('a run that is served over HTTP', () => {
  let ntp: NtpServer[];
  let served: Running;
  beforeAll(async () => {
    ntp = await Promise.all([listen(AHEAD), listen(AHEAD), listen(AHEAD), listen(LIE)]);
    served = await serve(ntp.map(({ endpoint }) => `127.0.0.1:${endpoint.port}`));
    await until(
      () => served.get<StatusDocument>('/status'),
      ({ pipelines, sources }) =>
        pipelines[0]!.applied >= 5 &&
        sources.length === 4 &&
        sources.every(({ answered, reach }) => answered >= 4 && (reach & 1) === 1),
    );
  });
  afterAll(async () => {
    await served.stop();
    for (const server of ntp) server.close();
  });

  test('/time tells the servers’ time and bounds that hold it', async () => {
    const before = Date.now() / 1000 + AHEAD - 0.002;
    const told = await served.get<TimeDocument>('/time');
    const after = Date.now() / 1000 + AHEAD + 0.002;
    expect(told).toMatchObject({ pipeline: 'voted', synchronised: true, axis: 'counter', level: 0.95 });
    expect(seconds(told)).toBeGreaterThan(before - 0.02);
    expect(seconds(told)).toBeLessThan(after + 0.02);
    expect(told.offset).toBeGreaterThan(AHEAD - 0.02);
    expect(told.offset).toBeLessThan(AHEAD + 0.02);
    expect(Date.parse(told.earliest!) / 1000).toBeLessThan(after);
    expect(Date.parse(told.latest!) / 1000).toBeGreaterThan(before);
    expect(told.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
    expect(told.age).toBeLessThan(20);
    expect(told.maxError).toBeGreaterThan(told.uncertainty!);
  });

  test('/time?at= tells the future with bounds that have grown', async () => {
    const now = await served.get<TimeDocument>('/time');
    const later = await served.get<TimeDocument>('/time?at=%2B1h');
    expect(seconds(later) - seconds(now)).toBeCloseTo(3600, 0);
    expect(later.maxError).toBeGreaterThan(now.maxError! + 3600 * 14e-6);
    expect(later.uncertainty).toBeGreaterThan(now.uncertainty!);
    const exact = await served.get<TimeDocument>('/time?at=2030-01-01T00:00:00.5Z');
    expect(exact.time.slice(0, 25)).toBe('2030-01-01T00:00:00.50000');
    expect(await served.get<TimeDocument>('/time?at=1893456000.25')).toMatchObject({
      unix: { seconds: 1893456000 },
    });
  });

  test('a bad question gets one clear answer', async () => {
    const answer = async (path: string, method = 'GET') => {
      const reply = await fetch(`${served.base}${path}`, { method });
      return [reply.status, ((await reply.json()) as { message: string }).message];
    };
    expect(await answer('/time?at=soon')).toEqual([
      400,
      "at: expected an instant such as 2026-11-25T00:10:00Z, or Unix seconds, found 'soon'; or from now, such as +30s",
    ]);
    expect(await answer('/time?at=2026-13-45T00:00:00Z')).toEqual([400, expect.stringContaining("found '2026-13-45T")]);
    expect(await answer('/time?at=9999999999999')).toEqual([400, expect.stringContaining('more than a century')]);
    expect(await answer('/time?pipeline=votes')).toEqual([404, "unknown pipeline 'votes' (did you mean 'voted'?)"]);
    expect(await answer('/time?pipeline=voted&pipeline=held')).toEqual([
      400,
      'expected pipeline once, found it 2 times',
    ]);
    expect(await answer('/status?x=1')).toEqual([400, "unknown parameter 'x' (known: none)"]);
    expect(await answer('/tim')).toEqual([404, expect.stringMatching(/^nothing at \/tim \(known: \/time, /)]);
    expect(await answer('/time', 'POST')).toEqual([405, 'POST is not answered here, GET is']);
  });

  test('/status has all that a dashboard shows, and names the liar', async () => {
    const { service, pipelines, sources, exchanges, events } = await served.get<StatusDocument>('/status');
    expect(service).toMatchObject({ name: 'served', world: 'real', phase: 'synchronised' });
    expect(pipelines.map(({ name }) => name)).toEqual(['voted', 'held']);
    expect(sources.map(({ name }) => name).sort()).toEqual([...served.servers].sort());
    expect(exchanges.answered).toBeGreaterThanOrEqual(sources.reduce((sum, { answered }) => sum + answered, 0) - 4);
    for (const { name, standing, reason, offset, delay, jitter, reach, poll, stratum, referenceId, asked } of sources) {
      const lies = name === served.servers[3];
      expect(standing).toBe(lies ? 'falseticker' : 'combined');
      expect(reason).toMatch(lies ? /^falseticker: / : /survivors/);
      expect(Math.abs(offset! - (lies ? LIE : AHEAD))).toBeLessThan(0.05);
      expect(delay).toBeGreaterThan(0);
      expect(jitter).toBeGreaterThanOrEqual(0);
      expect(reach).toBeGreaterThan(0);
      expect(poll).toBeGreaterThan(0);
      expect({ stratum, referenceId }).toEqual({ stratum: 1, referenceId: 'GPS' });
      expect(asked).toBeGreaterThan(3);
    }
    expect(events[0]!.what).toMatch(/^listens on/);
  });

  test('/history grows by a point a round', async () => {
    const { pipelines, sources } = await served.get<HistoryDocument>('/history');
    expect(Object.keys(pipelines)).toEqual(['voted', 'held']);
    expect(pipelines['voted']!.length).toBeGreaterThan(4);
    const last = pipelines['voted']!.at(-1)!;
    expect(Math.abs(last.offset - AHEAD)).toBeLessThan(0.02);
    expect(sources[served.servers[3]!]!.every(({ used }) => !used)).toBe(true);
    const later = await served.get<HistoryDocument>(`/history?since=${pipelines['voted']![2]!.unix}`);
    expect(later.pipelines['voted']![0]).toEqual(pipelines['voted']![3]);
  });

  test('/healthz, /metrics and /openapi.json', async () => {
    expect(await served.get('/healthz')).toMatchObject({ status: 'ok' });
    const text = await (await fetch(`${served.base}/metrics`)).text();
    expect(text).toMatch(/^# TYPE escapement_offset_seconds gauge$/m);
    const value = (line: string) => Number(new RegExp(`^escapement_${line} (\\S+)$`, 'm').exec(text)?.[1]);
    expect(Math.abs(value('offset_seconds\\{pipeline="voted"\\}') - AHEAD)).toBeLessThan(0.02);
    expect(value('synchronised\\{pipeline="voted"\\}')).toBe(1);
    expect(value(`source_standing\\{source="${served.servers[3]}",standing="falseticker"\\}`)).toBe(1);
    expect(value(`source_questions_total\\{source="${served.servers[0]}",result="answered"\\}`)).toBeGreaterThan(3);
    expect(value(`source_dropped_datagrams_total\\{source="${served.servers[0]}",reason="forged"\\}`)).toBe(0);
    expect(text).toMatch(/^process_resident_memory_bytes \d{7,}/m);
    const document = await served.get<{ paths: object; components: { schemas: object } }>('/openapi.json');
    expect(Object.keys(document.paths)).toEqual([
      '/time',
      '/status',
      '/history',
      '/healthz',
      '/events',
      '/metrics',
      '/openapi.json',
    ]);
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)];
    expect(references.length).toBeGreaterThan(5);
    for (const [, name] of references) expect(Object.keys(document.components.schemas)).toContain(name);
  });

  test('/events pushes the status after each round; who comes again hears the events that he missed', async () => {
    const { events } = await served.get<StatusDocument>('/status');
    const first = (await listenTo(served.base, {}, 8)).filter(({ event }) => event === 'status').slice(0, 4);
    expect(first).toHaveLength(4);
    const ids = first.map(({ id }) => id);
    expect([...ids].sort((a, b) => a - b)).toEqual(ids);
    const rounds = first.map(({ data }) => (data as StatusDocument).pipelines[0]!.rounds);
    expect(rounds[3]! - rounds[0]!).toBeGreaterThanOrEqual(2);
    const again = await listenTo(served.base, { 'Last-Event-ID': '0' }, 2);
    expect(again[0]).toEqual({ event: 'event', id: events[0]!.id, data: events[0] });
  });
});

interface Message {
  readonly id: number;
  readonly event: string;
  readonly data: unknown;
}

/** The first `count` messages of /events. */
async function listenTo(base: string, headers: Record<string, string>, count: number): Promise<Message[]> {
  const leaving = new AbortController();
  const reply = await fetch(`${base}/events`, { headers, signal: leaving.signal });
  expect(reply.headers.get('content-type')).toMatch(/^text\/event-stream/);
  const messages: Message[] = [];
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of reply.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      text = text.slice(end + 2);
      if (!fields.has('data')) continue;
      messages.push({
        id: Number(fields.get('id')),
        event: fields.get('event')!,
        data: JSON.parse(fields.get('data')!),
      });
    }
    if (messages.length >= count) break;
  }
  leaving.abort();
  return messages.slice(0, count);
}

describe('what can go wrong', () => {
  test('before anything is known it says so, and what it cannot know is null', async () => {
    const gone = await listen(0);
    const address = `127.0.0.1:${gone.endpoint.port}`;
    gone.close();
    const served = await serve([address], { clients: 1, every: 0.2 });
    try {
      const reply = await fetch(`${served.base}/healthz`);
      expect(reply.status).toBe(503);
      expect(await reply.json()).toEqual({
        status: 'unavailable',
        reason: 'nothing is known of the time yet',
        maxError: null,
      });
      expect(await served.get('/time')).toMatchObject({
        ...{ synchronised: false, earliest: null, latest: null, maxError: null, uncertainty: null },
        ...{ source: 'bare-clock', drift: null, age: null },
      });
      const status = await until(
        () => served.get<StatusDocument>('/status'),
        ({ sources }) => (sources[0]?.asked ?? 0) > 0,
      );
      expect(status.service.phase).toBe('starting');
      expect(status.sources[0]).toMatchObject({ standing: 'unreachable', reach: 0, offset: null, stratum: null });
      // No more listeners than there may be.
      const listener = new AbortController();
      await fetch(`${served.base}/events`, { signal: listener.signal });
      expect((await fetch(`${served.base}/events`)).status).toBe(503);
      listener.abort();
    } finally {
      await served.stop();
    }
  });

  test('a port that is taken, and an address of another machine', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise(resolve => other.once('listening', resolve));
    const { port } = other.address() as AddressInfo;
    try {
      await expect(serve(['127.0.0.1:1'], { port })).rejects.toThrow(
        `sink http: port ${port} of 127.0.0.1 is taken: another program listens there (see its options host and port)`,
      );
      await expect(serve(['127.0.0.1:1'], { host: '192.0.2.1' })).rejects.toThrow(
        'sink http: 192.0.2.1 is no address of this machine (see its options host and port)',
      );
    } finally {
      other.close();
    }
  });
});

test('what an attacker sends is dropped, and counted by server and reason', async () => {
  const socket = createSocket('udp4');
  await new Promise<void>(bound => socket.bind(0, '127.0.0.1', bound));
  socket.on('message', (question, { port, address }) => {
    const time = clock.read().counter;
    const answer = Buffer.from(respond(question, state, time, time, epoch)!);
    const replayed = Buffer.from(answer);
    replayed[24]! ^= 1;
    for (const bytes of [Buffer.from('noise'), replayed, replayed, answer]) socket.send(bytes, port, address);
  });
  const server = `127.0.0.1:${socket.address().port}`;
  const served = await serve([{ server, name: 'target' }]);
  try {
    const { sources } = await until(
      () => served.get<StatusDocument>('/status'),
      status => (status.sources[0]?.answered ?? 0) >= 3,
    );
    const { dropped, answered, failed } = sources[0]!;
    expect(sources[0]).toMatchObject({ name: 'target', address: server });
    expect(failed).toBe(0);
    expect(dropped).toEqual({
      malformed: answered,
      wrongAddress: 0,
      wrongMode: 0,
      wrongOrigin: 2 * answered,
      unauthenticated: 0,
      forged: 0,
    });
    const text = await (await fetch(`${served.base}/metrics`)).text();
    const counted = (reason: string) =>
      Number(
        new RegExp(
          `^escapement_source_dropped_datagrams_total\\{source="target",reason="${reason}"\\} (\\d+)$`,
          'm',
        ).exec(text)?.[1],
      );
    expect(counted('wrongOrigin')).toBeGreaterThanOrEqual(6);
    expect(counted('wrongOrigin')).toBe(2 * counted('malformed'));
    expect(counted('unauthenticated')).toBe(0);
  } finally {
    await served.stop();
    socket.close();
  }
});

test('counts what has become of questions to a model', async () => {
  const server = await listen(AHEAD);
  const learned = { name: 'learned', predictor: 'learned', corrector: 'none' };
  const served = await serve([`127.0.0.1:${server.endpoint.port}`], {}, [learned]);
  try {
    const counted = async (): Promise<readonly [asked: number, untold: number, learned: number]> => {
      const text = await (await fetch(`${served.base}/metrics`)).text();
      const of = (name: string, labels: string): number =>
        Number(
          new RegExp(
            `^escapement_model_${name}_total\\{part="pipelines/learned/predictor"${labels}\\} (\\d+)$`,
            'm',
          ).exec(text)?.[1],
        );
      return [
        of('questions', ''),
        of('answers_dropped', ',reason="late"'),
        of('estimates_told', ',by="learned"') + of('estimates_told', ',by="few-measurements"'),
      ];
    };
    const [asked, late, told] = await until(counted, ([asked]) => asked >= 3);
    expect(late).toBeLessThanOrEqual(asked);
    expect(told).toBeGreaterThan(asked - late);
  } finally {
    await served.stop();
    server.close();
  }
});
