import { expect, test } from 'vitest';
import type { RoundRecord } from '../../../src/core/contracts/index.js';
import { NtpState } from '../../../src/core/ntp/ntp-state.js';
import { at, measured } from '../../support/estimation.js';

/** A round at `t` in which `answering` answered and `silent` did not. */
function round(t: number, answering: readonly string[], silent: readonly string[], declined?: string): RoundRecord {
  const measurements = answering.map(source => measured(t, 0, 1e-3, source));
  const verdicts = [...answering, ...silent].map(source => ({
    source,
    used: answering.includes(source),
    reason: answering.includes(source) ? 'taken' : 'timeout',
  }));
  return {
    t,
    pipeline: 'p',
    measurements,
    taken: measurements,
    verdicts,
    mad: undefined,
    before: undefined,
    prior: undefined,
    declined,
    estimate: undefined,
    reading: at(t),
    told: {
      time: t,
      offset: 0,
      axis: 'wall',
      uncertainty: undefined,
      level: 0.95,
      maxError: undefined,
      by: 'bare-clock',
    },
  };
}

test('a reach register is 377 after eight answers, and loses a bit for each silence', () => {
  const state = new NtpState();
  for (let i = 0; i < 8; i++) state.note(round(i, ['a'], ['b']));
  expect(state.reach).toBe('a:377 b:0');
  state.note(round(8, [], ['a', 'b']));
  state.note(round(9, ['b'], ['a']));
  expect(state.reach).toBe('a:374 b:1');
});

test('knows what was last measured, and what was last applied', () => {
  const state = new NtpState();
  expect(state.lastMeasured).toBeUndefined();
  state.note(round(10, ['a'], []));
  state.note(round(20, ['a'], [], 'not believed'));
  state.note(round(30, [], ['a']));
  expect(state.lastMeasured).toEqual({ t: 20, at: at(20) });
  expect(state.lastApplied).toEqual({ t: 10, at: at(10) });
});
