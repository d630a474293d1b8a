import { describe, expect, test } from 'vitest';
import type { MachineClock, SourceEvent } from '../../../src/core/contracts/index.js';
import { Hearing, Vigil } from '../../../src/core/experiment/vigil.js';

/** A machine of which everything that can happen to a clock can be done to it. */
class Machine implements MachineClock {
  readonly world = 'real';
  readonly epoch = 0n;
  readonly description = 'a machine';
  counter = 0;
  wall = 0;
  asleep = 0;
  synchronised = false;
  /** The next reading is interrupted between its two clocks for so long. */
  interrupted = 0;

  read() {
    const reading = { counter: this.counter, wall: this.wall + this.interrupted };
    this.interrupted = 0;
    return reading;
  }

  slept = () => this.asleep;
  disciplined = () => this.synchronised;

  pass(seconds: number, rate = 0): void {
    this.counter += seconds;
    this.wall += seconds * (1 + rate);
  }

  sleep(seconds: number): void {
    this.asleep += seconds;
    this.wall += seconds;
  }
}

function watched() {
  const machine = new Machine();
  const events: string[] = [];
  const displaced: (readonly [string, number, number])[] = [];
  let resumed = 0;
  const vigil = new Vigil(machine, {
    report: (part, what) => events.push(`${part}: ${what}`),
    displaced: (...args) => displaced.push(args),
    resumed: () => {
      resumed += 1;
    },
  });
  const live = (seconds: number, rate = 0): void => {
    for (let t = 0; t < seconds; t += 0.1) {
      machine.pass(0.1, rate);
      vigil.look();
    }
  };
  live(1);
  return { machine, vigil, events, displaced, live, resumed: () => resumed };
}

describe('the vigil over the machine’s clocks', () => {
  test('says nothing of a clock that is left alone, however busy the machine', () => {
    const { machine, vigil, events, displaced, live } = watched();
    live(700, 2e-8);
    machine.interrupted = 0.02;
    vigil.look();
    // Stopped by SIGSTOP: both clocks go on.
    machine.pass(30);
    vigil.look();
    live(10);
    expect(events).toEqual([]);
    expect(displaced).toEqual([]);
  });

  test.each([-3600, -0.25, 0.02, 10])('a step of the wall clock by %d s, once', step => {
    const { machine, events, displaced, live } = watched();
    machine.wall += step;
    live(5);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatch(/^clock: the wall clock was stepped by [+-]/);
    const [axis, by, deviation] = displaced[0]!;
    expect(axis).toBe('wall');
    expect(Math.abs(by + step)).toBeLessThan(1e-6);
    expect(deviation).toBeLessThan(1e-3);
  });

  test('sleep: the counter has lost it, and servers are asked at once', () => {
    const { machine, events, displaced, live, resumed } = watched();
    machine.sleep(7200);
    live(1);
    expect(events).toEqual(['clock: the machine was suspended for 2 h: servers are asked at once']);
    expect(displaced).toEqual([['counter', 7200, 1]]);
    expect(resumed()).toBe(1);
  });

  test('sleep from which the wall clock wakes up wrong: both', () => {
    const { machine, events, displaced, live } = watched();
    machine.sleep(600);
    machine.wall += 0.4;
    live(1);
    expect(events.map(event => event.split(' by ')[0])).toEqual([
      'clock: the machine was suspended for 10 min: servers are asked at once',
      'clock: the wall clock was stepped',
    ]);
    expect(displaced.map(([axis]) => axis)).toEqual(['counter', 'wall']);
    expect(displaced[1]![1]).toBeCloseTo(-0.4, 6);
  });

  test('somebody who steers the wall clock, or has the kernel call it synchronised', () => {
    const { machine, events, live } = watched();
    live(1300, 5e-6);
    expect(events).toEqual([
      expect.stringMatching(/^clock: the wall clock is steered by something else: \+[45]\.\d+ ppm/),
    ]);
    machine.synchronised = true;
    live(700, 5e-6);
    expect(events.slice(1)).toEqual([
      'clock: another program disciplines the system clock: the kernel says that it is synchronised',
    ]);
  });
});

describe('the hearing of servers', () => {
  const at = (t: number) => ({ wall: t, counter: t });
  const answer = (source: string, t: number) =>
    ({ type: 'exchange', exchange: { source, sent: at(t), arrived: at(t) } }) as unknown as SourceEvent;
  const failure = (source: string, t: number): SourceEvent => ({
    type: 'failure',
    failure: { source, sent: at(t), settled: at(t), reason: 'timeout' },
  });

  test('holdover begins with the last server’s second silence, and ends with the first answer', () => {
    const events: string[] = [];
    const hearing = new Hearing((part, what) => events.push(`${part}: ${what}`));
    // Before anything has been heard there is nothing to hold.
    for (const t of [1, 2, 3]) hearing.hear(failure('a', t));
    hearing.hear(answer('a', 10));
    hearing.hear(answer('b', 10));
    for (const t of [20, 30, 40]) hearing.hear(failure('a', t));
    hearing.hear(failure('b', 40));
    expect(events).toEqual([]);
    hearing.hear(failure('b', 70));
    hearing.hear(failure('a', 80));
    expect(events).toEqual(['servers: holdover begins: no server has answered for 60 s; bounds grow until one does']);
    hearing.hear(answer('b', 130));
    expect(events.slice(1)).toEqual(['servers: holdover ends: b answers, after 2 min without any server']);
  });
});
