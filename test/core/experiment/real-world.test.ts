import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Sample, Sink } from '../../../src/core/contracts/index.js';
import { SystemClock } from '../../../src/plugins/clocks/system.js';
import { NtpServer } from '../../../src/plugins/sinks/ntp-server.js';
import { median, runLive } from '../../support/live-run.js';

const clock = new SystemClock({ through: 'auto' });
const epoch = Number(clock.epoch / 1_000_000_000n);

const state = { leap: 0, stratum: 1, precision: -20, rootDelay: 0, rootDispersion: 1e-3, referenceId: 0 };

const opened: NtpServer[] = [];

async function server(offset: number, delay = 0): Promise<string> {
  const one = await NtpServer.listen({
    address: '127.0.0.1',
    port: 0,
    epoch,
    state: () => state,
    now: () => clock.read().counter + offset,
    ...(delay > 0 && { path: () => ({ out: delay, back: delay }) }),
  });
  opened.push(one);
  return `127.0.0.1:${one.endpoint.port}`;
}

let honest: string[];
let liar: string;
beforeAll(async () => {
  honest = [await server(0.05), await server(0.0501), await server(0.0499)];
  liar = await server(-3);
});
afterAll(() => {
  for (const one of opened) one.close();
});

const voting = { name: 'voting', combiner: 'median' };
const believing = { name: 'believing', combiner: 'inverse-variance' };

function gridSink(interval: number) {
  const samples: Sample[] = [];
  const sink: Sink = { interval, sample: sample => void samples.push(sample) };
  const of = (pipeline: string) => samples.filter(sample => sample.pipeline === pipeline);
  return { sink, of };
}

describe('a run', () => {
  test('lasts as long as it was asked to, and has then finished', async () => {
    const started = performance.now();
    const { summary } = await runLive({ servers: honest, duration: 0.8 });
    const lasted = (performance.now() - started) / 1000;
    expect(lasted).toBeGreaterThanOrEqual(0.8);
    expect(lasted).toBeLessThan(5);
    expect(summary).toMatchObject({ world: 'real', duration: 0.8, interrupted: false });
  });

  test('is interrupted by its signal, says so, and has the figures until then', async () => {
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 700);
    const { summary } = await runLive({ servers: honest, duration: 600, signal: abort.signal });
    expect(summary.interrupted).toBe(true);
    expect(summary.duration).toBeGreaterThan(0.3);
    expect(summary.duration).toBeLessThan(30);
    expect(summary.pipelines[1]!.samples).toBeGreaterThan(0);
  });

  test('tells its sinks what its clock is read through', async () => {
    let told: string | undefined;
    const sink: Sink = {
      start: ({ clock }) => {
        told = clock;
      },
    };
    await runLive({ servers: honest, duration: 0.1, sinks: [sink] });
    expect(told).toMatch(/CLOCK_REALTIME|process\.hrtime/);
  });

  test('ends with what a sink throws, instead of ending the process', async () => {
    const full: Sink = {
      round: () => {
        throw new Error('no space left on device');
      },
    };
    await expect(runLive({ servers: honest, duration: 60, sinks: [full] })).rejects.toThrow('no space left on device');
  });
});

describe('a sink’s grid', () => {
  test('has every multiple of its interval once, at the multiple itself', async () => {
    const { sink, of } = gridSink(0.25);
    await runLive({ servers: honest, duration: 2, sinks: [sink], pipelines: [voting] });
    const times = of('voting').map(({ t }) => t);
    expect(times.length).toBeGreaterThanOrEqual(7);
    expect(times.length).toBeLessThanOrEqual(8);
    times.forEach((t, index) => {
      expect(t).toBe(times[0]! + index * 0.25);
      expect(t % 0.25).toBe(0);
    });
    expect(of('bare-clock').map(({ t }) => t)).toEqual(times);
    for (const { t, reading } of of('voting')) expect(reading.counter).toBe(t);
  });

  test('misses nothing while the process is busy', async () => {
    const { sink, of } = gridSink(0.1);
    const busy: Sink = {
      progress: () => {
        for (const end = performance.now() + 350; performance.now() < end; );
      },
    };
    await runLive({ servers: honest, duration: 1.2, sinks: [sink, busy] });
    const steps = of('kalman').map(({ t }) => Math.round(t / 0.1));
    expect(steps.length).toBeGreaterThanOrEqual(11);
    expect(steps).toEqual(steps.map((_, index) => steps[0]! + index));
  });

  test('shows the state before what came after its instant', async () => {
    const { sink, of } = gridSink(0.005);
    await runLive({ servers: honest, duration: 1, interval: 0.02, sinks: [sink] });
    const samples = of('kalman').filter(({ estimate }) => estimate !== undefined);
    expect(samples.length).toBeGreaterThan(100);
    for (const { t, estimate } of samples) expect(estimate!.at.counter).toBeLessThan(t);
  });
});

describe('scores against NTP', () => {
  test('are taken before the pipeline has seen the measurement', async () => {
    const { scored } = await runLive({ servers: [honest[0]!], duration: 0.5 });
    const first = scored.filter(({ pipeline }) => pipeline === 'kalman')[0]!;
    expect(first.told.by).toBe('bare-clock');
    expect(first.error).toBe(first.bareError);
    expect(first.error).toBeCloseTo(-0.05, 2);
  });

  test('leave a falseticker out: it is no reference', async () => {
    const servers = [...honest, liar];
    const { summary, scored, rounds } = await runLive({ servers, duration: 1, pipelines: [voting, believing] });
    const bare = summary.pipelines[0]!;
    expect(bare.error!.max).toBeLessThan(0.1);
    expect(bare.samples).toBe(scored.filter(({ pipeline }) => pipeline === 'bare-clock').length);
    expect(bare.samples % 3).toBe(0);
    expect(bare.samples).toBeGreaterThan(10);
    expect(summary.exchanges.answered).toBeGreaterThan(bare.samples);
    const verdict = rounds
      .find(({ pipeline }) => pipeline === 'voting')!
      .verdicts.find(({ source }) => source === liar)!;
    expect(verdict).toMatchObject({ used: false, reason: expect.stringContaining('from the median') });
    const [, good, bad] = summary.pipelines;
    expect(good!.error!.p50).toBeLessThan(0.01);
    expect(bad!.error!.p50).toBeGreaterThan(0.05);
  });
});

describe('our server', () => {
  test('an asymmetric path of 20 ms there and 4 ms back looks 8 ms wrong, whatever its timers do', async () => {
    const one = await NtpServer.listen({
      address: '127.0.0.1',
      port: 0,
      epoch,
      state: () => state,
      now: () => clock.read().counter,
      path: () => ({ out: 0.02, back: 0.004 }),
    });
    opened.push(one);
    const { offsets } = await runLive({ servers: [`127.0.0.1:${one.endpoint.port}`], duration: 1.5 });
    expect(offsets.length).toBeGreaterThan(10);
    // Late timers lengthen both ways in proportion, 20 to 4.
    expect(median(offsets)).toBeGreaterThan(0.0075);
    expect(median(offsets)).toBeLessThan(0.0095);
  });

  test('does not answer what is no question', async () => {
    const { udpPeer } = await import('../../support/udp-peer.js');
    const heard: number[] = [];
    const peer = await udpPeer(bytes => heard.push(bytes.length));
    const [, port] = honest[0]!.split(':');
    for (const bytes of [new Uint8Array(48), new Uint8Array(47).fill(0x23), Uint8Array.from([0x24])]) {
      peer.socket.send(bytes, Number(port), '127.0.0.1');
    }
    await new Promise(resolve => setTimeout(resolve, 50));
    peer.socket.send(
      Uint8Array.from({ length: 300 }, (_, index) => (index === 0 ? 0x23 : 0)),
      Number(port),
      '127.0.0.1',
    );
    await expect.poll(() => heard).toEqual([48]);
    peer.close();
  });

  test('a port that is taken is one clear error', async () => {
    const { port } = opened[0]!.endpoint;
    await expect(
      NtpServer.listen({ address: '127.0.0.1', port, epoch, state: () => state, now: () => 0 }),
    ).rejects.toThrow(`NTP server on 127.0.0.1 port ${port}: cannot listen:`);
  });
});
