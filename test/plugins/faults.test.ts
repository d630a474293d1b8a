import { describe, expect, test } from 'vitest';
import type { Exchange } from '../../src/core/contracts/index.js';
import { runYaml, type Told } from '../support/run-yaml.js';

/** A perfect clock, one or more perfect servers 10 ms away, asked every 16 s for an hour. */
const quiet = {
  name: 'quiet',
  duration: '1 h',
  world: {
    clock: { use: 'oscillator', frequencyError: 0, granularity: 0 },
    servers: [{ name: 'a', processing: 0 }] as object[],
  },
  sources: { ntp: { use: 'ntp', poller: { use: 'fixed', interval: '16 s', burst: 1 } } },
  pipelines: [{ name: 'p', filters: ['delay-excess'] }] as object[],
};

function withFault(fault: object, servers: readonly string[] = ['a'], pipelines: object[] = quiet.pipelines): object {
  const world = { ...quiet.world, servers: servers.map(name => ({ name, processing: 0 })), faults: [fault] };
  return { ...quiet, world, pipelines };
}

const answers = ({ exchanges }: Told): readonly Exchange[] =>
  exchanges.flatMap(({ event }) => (event.type === 'exchange' ? [event.exchange] : []));
const reasons = ({ exchanges }: Told): readonly string[] =>
  exchanges.flatMap(({ event }) => (event.type === 'failure' ? [event.failure.reason] : []));
const offsetOf = ({ sent, arrived, receive, transmit }: Exchange): number =>
  (receive - sent.counter + (transmit - arrived.counter)) / 2;
const delayOf = ({ sent, arrived, receive, transmit }: Exchange): number =>
  arrived.counter - sent.counter - (transmit - receive);
/** wall − true and counter − true at true time t. */
function clocksAt({ samples }: Told, t: number): { readonly wall: number; readonly counter: number } {
  const { reading, t: at } = samples.find(sample => sample.t === t && sample.pipeline === 'bare-clock')!;
  return { wall: reading.wall - at, counter: reading.counter - at };
}

describe('faults of the clock', () => {
  test('a slew by another daemon moves the wall clock only, and stays when it is over', async () => {
    const told = await runYaml(withFault({ use: 'slew-episode', at: 1000, for: 500, rate: '200 ppm' }));
    expect(clocksAt(told, 1000).wall).toBeCloseTo(0, 12);
    expect(clocksAt(told, 1250).wall).toBeCloseTo(0.05, 9);
    expect(clocksAt(told, 3000).wall).toBeCloseTo(0.1, 9);
    expect(clocksAt(told, 3000).counter).toBeCloseTo(0, 9);
  });

  test('a frequency ramp makes a parabola, then a line', async () => {
    const told = await runYaml(withFault({ use: 'frequency-ramp', at: 0, by: '10 ppm', over: 1000 }));
    expect(clocksAt(told, 500).counter).toBeCloseTo((1e-5 * 500 ** 2) / 2000, 9);
    expect(clocksAt(told, 2000).counter).toBeCloseTo(1e-5 * (2000 - 500), 9);
  });

  test('a temperature event ends at its frequency, with its lag, and leaves its phase', async () => {
    const told = await runYaml(
      withFault({
        use: 'temperature-event',
        at: 0,
        for: 2000,
        by: 10,
        lag: 100,
        linear: '0.2 ppm',
        quadratic: '0.01 ppm',
      }),
    );
    // In the end y = 0.2 ppm·10 + 0.01 ppm·100 = 3 ppm.
    expect((clocksAt(told, 2000).counter - clocksAt(told, 1900).counter) / 100).toBeCloseTo(3e-6, 12);
    expect(clocksAt(told, 3000).counter).toBeCloseTo(clocksAt(told, 2000).counter, 12);
    // By numerical integration of y(t).
    let phase = 0;
    for (let i = 0; i < 50_000; i++) {
      const followed = 10 * (1 - Math.exp(-(i + 0.5) / 10_000));
      phase += 0.01 * (2e-7 * followed + 1e-8 * followed ** 2);
    }
    expect(clocksAt(told, 500).counter).toBeCloseTo(phase, 9);
  });

  test('a machine that sleeps asks nobody; it wakes up with a stopped counter and a wall clock set from hardware', async () => {
    const told = await runYaml(withFault({ use: 'suspend', at: 1000, for: 600, error: '30 ms' }));
    expect(clocksAt(told, 2000).counter).toBeCloseTo(-600, 6);
    expect(clocksAt(told, 2000).wall).toBeCloseTo(0.03, 6);
    expect(told.samples.some(({ t }) => t > 1000 && t < 1600)).toBe(false);
    expect(told.exchanges.some(({ t }) => t > 1000.1 && t < 1600)).toBe(false);
    expect(told.summary.pipelines[1]!.samples).toBe(3000);
    // It finds its way back to the time.
    expect(Math.abs(told.samples.at(-1)!.error!)).toBeLessThan(1e-3);
  });

  test('a frozen guest notices nothing: both clocks are behind by what it missed, and packets have waited', async () => {
    const told = await runYaml(withFault({ use: 'vm-pause', at: 1008.005, for: 10 }));
    expect(clocksAt(told, 2000).counter).toBeCloseTo(-10, 6);
    expect(clocksAt(told, 2000).wall).toBeCloseTo(-10, 6);
    // The question of 1008 s was under way; its answer came when the guest went on, as if no time had passed.
    expect(reasons(told)).toEqual([]);
    expect(answers(told).length).toBeGreaterThan(220);
  });

  test('a counter that starts again is back in time within a few questions', async () => {
    const told = await runYaml(withFault({ use: 'counter-reset', at: 1000, to: 0 }));
    expect(clocksAt(told, 2000).counter).toBeCloseTo(-1000, 6);
    expect(clocksAt(told, 2000).wall).toBeCloseTo(0, 6);
    expect(reasons(told)).toEqual([]);
    const late = told.samples.filter(({ t, pipeline }) => pipeline === 'p' && t > 1100);
    expect(Math.max(...late.map(({ error }) => Math.abs(error!)))).toBeLessThan(1e-3);
  });

  test('in a frequency cycle the phase is the integral of the frequency', async () => {
    const told = await runYaml(withFault({ use: 'frequency-cycle', at: 0, amplitude: '10 ppm', period: 1000 }));
    expect(clocksAt(told, 500).counter).toBeCloseTo((1e-5 * 1000) / Math.PI, 9);
    expect(clocksAt(told, 1000).counter).toBeCloseTo(0, 9);
  });
});

describe('faults of the network', () => {
  test('an asymmetry moves the offsets by half of it, and shows in the round trip', async () => {
    const told = await runYaml(withFault({ use: 'asymmetry-step', at: 1000, by: '8 ms' }));
    const after = answers(told).filter(({ receive }) => receive > 1001);
    for (const exchange of after) {
      expect(offsetOf(exchange)).toBeCloseTo(0.004, 9);
      expect(delayOf(exchange)).toBeCloseTo(0.028, 9);
    }
    expect(after.length).toBeGreaterThan(150);
  });

  test('a route can get shorter, but never shorter than nothing', async () => {
    const told = await runYaml(withFault({ use: 'route-flip', at: 1000, out: '-4 ms', back: '-40 ms' }));
    expect(delayOf(answers(told).at(-1)!)).toBeCloseTo(0.006, 9);
  });

  test('spikes concern one direction and some packets', async () => {
    const told = await runYaml(
      withFault({ use: 'one-way-spike', at: 0, share: '30 %', delay: '100 ms', direction: 'back' }),
    );
    const offsets = answers(told).map(offsetOf);
    const hit = offsets.filter(offset => Math.abs(offset + 0.05) < 1e-9).length;
    expect(hit + offsets.filter(offset => Math.abs(offset) < 1e-9).length).toBe(offsets.length);
    expect(hit / offsets.length).toBeGreaterThan(0.2);
    expect(hit / offsets.length).toBeLessThan(0.4);
  });

  test.each(['truncated', 'corrupted'])(
    '%s packets never become a wrong time beyond what the client can check',
    async how => {
      const told = await runYaml(withFault({ use: 'malformed-packets', at: 0, share: '50 %', how }));
      expect(reasons(told).length).toBeGreaterThan(30);
      expect(answers(told).length).toBeGreaterThan(50);
      const { max } = told.summary.pipelines[1]!.error!;
      expect(max).toBeLessThan(how === 'truncated' ? 1e-6 : 1e-3);
    },
  );

  test('doubled and late answers are not taken for the next question’s', async () => {
    const doubled = await runYaml(withFault({ use: 'duplication', at: 0, share: 1 }));
    expect(answers(doubled)).toHaveLength(225);
    const late = await runYaml(withFault({ use: 'late-replies', at: 0, share: '40 %' }));
    for (const reason of reasons(late)) expect(reason).toMatch(/^timeout( \(dropped \d+ late, replayed or forged\))?$/);
    for (const exchange of answers(late)) expect(delayOf(exchange)).toBeCloseTo(0.02, 9);
  });

  test('a forger off the path is not believed; one on the path is, and only other servers can tell', async () => {
    const off = await runYaml(withFault({ use: 'spoofed-replies', at: 0, share: 1 }));
    expect(Math.max(...answers(off).map(exchange => Math.abs(offsetOf(exchange))))).toBeLessThan(1e-9);
    const elsewhere = await runYaml(
      withFault({ use: 'spoofed-replies', at: 0, share: 1, onPath: true, elsewhere: true }),
    );
    expect(Math.max(...answers(elsewhere).map(exchange => Math.abs(offsetOf(exchange))))).toBeLessThan(1e-9);
    const on = { use: 'spoofed-replies', at: 0, share: 1, onPath: true };
    expect(offsetOf(answers(await runYaml(withFault(on)))[0]!)).toBeCloseTo(1, 3);
    const three = await runYaml(
      withFault({ ...on, servers: ['a'] }, ['a', 'b', 'c'], [{ name: 'p', combiner: 'intersection' }]),
    );
    expect(three.summary.pipelines[1]!.error!.max).toBeLessThan(0.01);
  });

  test('a busy machine stamps late, in both directions', async () => {
    const told = await runYaml(withFault({ use: 'scheduling-delay', at: 0, mean: '5 ms' }));
    const excess = answers(told).map(exchange => delayOf(exchange) - 0.02);
    expect(Math.min(...excess)).toBeGreaterThan(0);
    const mean = excess.reduce((sum, e) => sum + e, 0) / excess.length;
    expect(mean).toBeGreaterThan(0.0085);
    expect(mean).toBeLessThan(0.0115);
  });

  test('a packet that is overtaken by seconds is one that is lost', async () => {
    const told = await runYaml(withFault({ use: 'reordering', at: 0, share: '30 %', by: '3 s' }));
    expect(new Set(reasons(told))).toEqual(new Set(['timeout']));
    expect(reasons(told).length).toBeGreaterThan(60);
  });
});

describe('faults of servers', () => {
  test.each([
    [{ how: 'silent' }, 'timeout'],
    [{ how: 'unsynchronised' }, 'unsynchronised (leap 3)'],
  ])('a server that fails %o is not used, and is again afterwards', async (how, reason) => {
    const told = await runYaml(withFault({ use: 'server-failure', at: 1000, for: 1000, ...how }));
    expect(new Set(reasons(told))).toEqual(new Set([reason]));
    expect(answers(told).some(({ receive }) => receive > 1001 && receive < 2000)).toBe(false);
    expect(answers(told).at(-1)!.receive).toBeGreaterThan(3500);
  });

  test('a RATE kiss slows the client down, DENY ends the association', async () => {
    const rate = await runYaml(withFault({ use: 'kiss-code', at: 1000, for: 10 }));
    expect(reasons(rate)).toEqual(['kiss RATE']);
    const late = answers(rate).filter(({ receive }) => receive > 1100);
    expect(late[1]!.receive - late[0]!.receive).toBeCloseTo(32, 3);
    const deny = await runYaml(withFault({ use: 'kiss-code', at: 1000, for: 100, code: 'DENY' }));
    expect(reasons(deny)).toEqual(['kiss DENY']);
    expect(answers(deny).at(-1)!.receive).toBeLessThan(1000);
  });

  test('a step of a server can be undone', async () => {
    const told = await runYaml(withFault({ use: 'server-step', at: 1000, for: 1000, by: '70 ms' }));
    const at = (t: number) => offsetOf(answers(told).find(({ receive }) => receive > t)!);
    expect([at(900), at(1100), at(2100)].map(offset => Math.round(offset * 1e6))).toEqual([0, 70000, 0]);
  });

  test('falsetickers may drift, agree with each other, or each be wrong in its own way', async () => {
    const drifting = await runYaml(
      withFault({ use: 'falseticker', at: 1000, for: 1000, servers: ['a'], by: 0, drift: '10 ppm' }),
    );
    const at = (t: number) => offsetOf(answers(drifting).find(({ receive }) => receive > t)!);
    expect(at(1980) / 1e-5).toBeCloseTo(answers(drifting).find(({ receive }) => receive > 1980)!.receive - 1000, 1);
    expect(at(2100)).toBeCloseTo(0, 9);
    const servers = ['a', 'b', 'c', 'd', 'e'];
    const pipelines = [{ name: 'p', combiner: 'intersection' }];
    const error = async (fault: object) =>
      (await runYaml(withFault({ use: 'falseticker', at: 0, ...fault }, servers, pipelines))).summary.pipelines[1]!;
    expect((await error({ servers: ['a', 'b'], by: '1 s' })).error!.max).toBeLessThan(1e-3);
    // A majority that colludes is believed: nobody could know better.
    expect((await error({ servers: ['a', 'b', 'c'], by: '1 s' })).error!.max).toBeCloseTo(1, 2);
    // One that does not agree on anything is not.
    expect((await error({ servers: ['a', 'b', 'c'], by: '1 s', apart: '1 s' })).bounds.coverage).toBe(null);
  });
});

describe('faults of predictors', () => {
  const pipelines = [
    { name: 'p', predictor: 'linear-regression', corrector: 'none' },
    { name: 'safe', predictor: { use: 'fallback', order: ['linear-regression', 'last-value'] }, corrector: 'none' },
  ];

  test('one that diverges leads its pipeline astray, as sure as ever, and no other', async () => {
    const told = await runYaml(
      withFault({ use: 'predictor-diverging', at: 1000, rate: '50 ppm', pipelines: ['p'] }, ['a'], pipelines),
    );
    const [, p, safe] = told.summary.pipelines;
    expect(p!.error!.max).toBeGreaterThan(0.1);
    expect(p!.bounds.coverage).toBeLessThan(0.5);
    expect(safe!.error!.max).toBeLessThan(1e-3);
  });

  test('one that is off swings about what it is off by', async () => {
    const off = { use: 'predictor-off', at: 0, by: '20 ms', swing: '5 ms', period: '1200 s', pipelines: ['p'] };
    const told = await runYaml(withFault(off, ['a'], pipelines));
    const errors = told.samples.filter(({ pipeline, t }) => pipeline === 'p' && t > 600).map(({ error }) => error!);
    expect(Math.max(...errors)).toBeGreaterThan(0.0245);
    expect(Math.max(...errors)).toBeLessThan(0.026);
    expect(Math.min(...errors)).toBeLessThan(0.0155);
    expect(Math.min(...errors)).toBeGreaterThan(0.014);
    expect(told.summary.pipelines[2]!.error!.max).toBeLessThan(1e-3);
  });

  test('one that is silent leaves its pipeline with what it had', async () => {
    const told = await runYaml(withFault({ use: 'predictor-silent', at: 1000, pipelines: ['p'] }, ['a'], pipelines));
    expect(told.rounds.filter(({ pipeline }) => pipeline === 'p').at(-1)!.estimate!.at.counter).toBeLessThan(1000);
  });

  test('NaN ends the run with a message that names the pipeline, unless a fallback stands behind it', async () => {
    const inside = { use: 'predictor-nan', at: 1000, predictor: 'linear-regression', pipelines: ['safe'] };
    expect((await runYaml(withFault(inside, ['a'], pipelines))).summary.pipelines[2]!.error!.max).toBeLessThan(1e-3);
    const own = { use: 'predictor-nan', at: 1000, pipelines: ['p'] };
    await expect(runYaml(withFault(own, ['a'], pipelines))).rejects.toThrow("pipeline 'p'");
  });

  test('one that is late gives what was right a while ago', async () => {
    const told = await runYaml(
      withFault({ use: 'predictor-late', at: 1000, by: 300, pipelines: ['p'] }, ['a'], pipelines),
    );
    expect(told.summary.pipelines[1]!.error!.max).toBeLessThan(1e-3);
    const estimates = told.rounds
      .filter(({ pipeline }) => pipeline === 'p')
      .map(({ estimate }) => estimate!.at.counter);
    expect(estimates.filter(at => at > 1001 && at < 1300)).toEqual([]);
  });

  test('one with a constant sigma says the same of every answer', async () => {
    const told = await runYaml(
      withFault({ use: 'predictor-constant-sigma', at: 1000, sigma: '7 us', pipelines: ['p'] }, ['a'], pipelines),
    );
    const late = told.rounds.filter(({ pipeline, t }) => pipeline === 'p' && t > 1001);
    for (const { estimate } of late) expect(Math.sqrt(estimate!.p00)).toBeCloseTo(7e-6, 9);
  });
});

test('strikes by chance are drawn, the same ones for the same seed', async () => {
  const fault = { use: 'clock-step', at: 100, every: 100, chance: '30 %', by: '1 ms' };
  const first = await runYaml(withFault(fault));
  const strikes = first.events.filter(({ what }) => what === 'begins').map(({ t }) => t);
  expect(strikes.length).toBeGreaterThan(4);
  expect(strikes.length).toBeLessThan(20);
  expect(clocksAt(first, 3600).wall).toBeCloseTo(strikes.filter(t => t < 3600).length / 1000, 9);
  expect((await runYaml(withFault(fault))).events).toEqual(first.events);
});
