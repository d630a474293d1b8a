import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BankOptions, ClockBank, type PhaseUpdate } from '../../../src/core/estimation/clock-bank.js';

const single: BankOptions = {
  hypotheses: [{ wander: 1e-8, ageing: 0, initialDrift: 5e-5, weight: 1 }],
  whiteFm: 1e-18,
  ageingTime: 7200,
  switchTime: 1e5,
};

/** A Gaussian measurement of one phase, with its evidence. */
const gaussian =
  (measured: number, r: number): PhaseUpdate =>
  (mean, variance) => {
    const s = variance + r;
    const innovation = measured - mean;
    return {
      mean: mean + (variance / s) * innovation,
      variance: (variance * r) / s,
      logEvidence: -0.5 * (Math.log(2 * Math.PI * s) + innovation ** 2 / s),
    };
  };

/** Two-state Kalman filter [phase, drift], written out: the textbook's equations. */
class Reference {
  x: number;
  y = 0;
  p: [number, number, number];
  logEvidence = 0;
  constructor(
    offset: number,
    deviation: number,
    drift: number,
    private readonly q: number,
    private readonly w: number,
  ) {
    this.x = offset;
    this.p = [deviation ** 2, 0, drift ** 2];
  }
  predict(dt: number): void {
    const [a, b, c] = this.p;
    this.x += this.y * dt;
    this.p = [
      a + 2 * dt * b + dt * dt * c + this.w * dt + (this.q * dt ** 3) / 3,
      b + dt * c + (this.q * dt * dt) / 2,
      c + this.q * dt,
    ];
  }
  update(z: number, r: number): void {
    const [a, b, c] = this.p;
    const s = a + r;
    const innovation = z - this.x;
    this.logEvidence += -0.5 * (Math.log(2 * Math.PI * s) + innovation ** 2 / s);
    this.x += (a / s) * innovation;
    this.y += (b / s) * innovation;
    this.p = [a - (a * a) / s, b - (a * b) / s, c - (b * b) / s];
  }
}

/** Least eigenvalue of a covariance scaled to unit diagonal, by Cholesky: negative means that it is none. */
function positive(cov: Float64Array, n: number): boolean {
  const kept = [...Array(n).keys()].filter(i => cov[i * n + i]! > 0);
  const m = kept.map(i => kept.map(j => cov[i * n + j]! / Math.sqrt(cov[i * n + i]! * cov[j * n + j]!)));
  for (let i = 0; i < m.length; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = m[i]![j]! + (i === j ? 1e-6 : 0);
      for (let k = 0; k < j; k++) sum -= m[i]![k]! * m[j]![k]!;
      if (i === j) {
        if (!(sum > 0)) return false;
        m[i]![i] = Math.sqrt(sum);
      } else m[i]![j] = sum / m[j]![j]!;
    }
  }
  return true;
}

describe('one member with one phase', () => {
  it('is the two-state Kalman filter', () => {
    const bank = new ClockBank(single);
    bank.addPhase(0.01, 1e-3);
    const reference = new Reference(0.01, 1e-3, 5e-5, 1e-16, 1e-18);
    for (let i = 0; i < 60; i++) {
      const dt = 3 + ((i * 37) % 90);
      const z = 0.01 + 2e-5 * i * 40 + 1e-4 * Math.sin(i * 7);
      bank.predict(dt);
      reference.predict(dt);
      bank.updatePhase(0, gaussian(z, 1e-8));
      reference.update(z, 1e-8);
      const { mean, cov } = bank.collapse();
      expect(mean[2]).toBeCloseTo(reference.x, 10);
      expect(mean[0]).toBeCloseTo(reference.y, 12);
      expect(cov[8]! / reference.p[0]).toBeCloseTo(1, 5);
      expect(cov[2]! / reference.p[1]).toBeCloseTo(1, 5);
      expect(cov[0]! / reference.p[2]).toBeCloseTo(1, 5);
    }
  });

  it('moves the mean alike in one step or many, ageing and all', () => {
    const ageing = { ...single, hypotheses: [{ wander: 1e-9, ageing: 1e-11, initialDrift: 5e-5, weight: 1 }] };
    const [one, many] = [new ClockBank(ageing), new ClockBank(ageing)];
    for (const bank of [one, many]) {
      bank.addPhase(0, 1e-6);
      for (let i = 1; i < 40; i++) {
        bank.predict(64);
        bank.updatePhase(0, gaussian(1e-6 * i * i, 1e-14));
      }
    }
    one.predict(1600);
    for (let i = 0; i < 100; i++) many.predict(16);
    const [a, b] = [one.collapse(), many.collapse()];
    for (let i = 0; i < 3; i++) expect(a.mean[i]! / b.mean[i]!).toBeCloseTo(1, 6);
    // The drift has a trend, and loses it with the time constant.
    expect(Math.abs(a.mean[1]!)).toBeGreaterThan(1e-11);
    // Noise is integrated to leading order in dt/τ.
    for (const i of [0, 8]) expect(a.cov[i]! / b.cov[i]!).toBeCloseTo(1, 0);
  });
});

describe('a bank of several', () => {
  const hypotheses = [
    { wander: 1e-10, ageing: 0, initialDrift: 5e-5, weight: 1 },
    { wander: 1e-7, ageing: 0, initialDrift: 5e-5, weight: 1 },
  ];
  // Never mixing, the weights are Bayes’ rule over two filters that know nothing of each other.
  const bank = () => new ClockBank({ ...single, hypotheses, switchTime: 1e18 });

  it('weighs its members by the evidence of all measurements', () => {
    const ours = bank();
    ours.addPhase(0, 1e-3);
    const references = hypotheses.map(h => new Reference(0, 1e-3, 5e-5, h.wander ** 2, 1e-18));
    for (let i = 1; i <= 12; i++) {
      const z = 1e-6 * Math.sin(i * 3);
      ours.predict(20);
      ours.updatePhase(0, gaussian(z, 1e-12));
      for (const reference of references) {
        reference.predict(20);
        reference.update(z, 1e-12);
      }
    }
    const [a, b] = references.map(({ logEvidence }) => logEvidence) as [number, number];
    expect(ours.weights[0]! / (1 / (1 + Math.exp(b - a)))).toBeCloseTo(1, 4);
  });

  it('finds the wander of the clock that it is shown', () => {
    for (const [wander, better] of [
      [1e-10, 0],
      [1e-7, 1],
    ] as const) {
      const ours = bank();
      ours.addPhase(0, 1e-6);
      let x = 0;
      let y = 1e-5;
      for (let i = 0; i < 100; i++) {
        const kick = Math.sin(i * 12.9898) * 43758.5453;
        y += wander * 8 * 2 * (kick - Math.floor(kick) - 0.5) * 1.7;
        x += y * 64;
        ours.predict(64);
        ours.updatePhase(0, gaussian(x, 1e-12));
      }
      expect(ours.weights[better]).toBeGreaterThan(0.99);
    }
  });

  it('shares the drift between sources, and learns no phase from a source that is not trusted', () => {
    const ours = new ClockBank(single);
    ours.addPhase(0, 1e-3);
    ours.addPhase(5, 1e-3);
    for (let i = 1; i < 30; i++) {
      ours.predict(64);
      ours.updatePhase(0, gaussian(1e-5 * 64 * i, 1e-12));
    }
    // The other has never answered; the drift carries it along.
    expect(ours.phase(1).mean).toBeCloseTo(5 + 1e-5 * 64 * 29, 4);
    const before = ours.phase(0);
    ours.updatePhase(1, gaussian(7, 1e-12), true);
    expect(ours.phase(1).mean).toBeCloseTo(7, 3);
    expect(ours.phase(0)).toEqual(before);
    ours.removePhase(0);
    expect(ours.phases).toBe(1);
    expect(ours.phase(0).mean).toBeCloseTo(7, 3);
  });

  it('steps all phases alike and forgets no difference between them', () => {
    const ours = bank();
    ours.addPhase(1, 1e-4);
    ours.addPhase(1.5, 1e-4);
    ours.step(-0.25, 1e-3);
    expect(ours.phase(0).mean).toBeCloseTo(0.75, 12);
    expect(ours.phase(1).mean).toBeCloseTo(1.25, 12);
    expect(ours.phase(0).variance).toBeCloseTo(1e-8 + 1e-6, 12);
    const { cov } = ours.collapse();
    const n = 4;
    // var(x₀ − x₁) is what it was.
    expect(cov[2 * n + 2]! + cov[3 * n + 3]! - 2 * cov[2 * n + 3]!).toBeCloseTo(2e-8, 12);
  });

  it('keeps finite means, weights that sum to one and covariances that are such, whatever happens', () => {
    const act = fc.tuple(
      fc.integer({ min: 0, max: 8 }),
      fc.double({ min: -6, max: 5, noNaN: true }),
      fc.double({ min: -1, max: 1, noNaN: true }),
    );
    const mixed: BankOptions = {
      ...single,
      hypotheses: [...hypotheses, { wander: 1e-9, ageing: 1e-11, initialDrift: 5e-2, weight: 0.2 }],
    };
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), acts => {
        const ours = new ClockBank(mixed);
        ours.addPhase(0, 1e-3);
        for (const [what, exponent, value] of acts) {
          const size = 10 ** exponent;
          const last = ours.phases - 1;
          if (what <= 2) ours.predict(size);
          else if (what <= 4) ours.updatePhase(last, gaussian(value, Math.min(size, 1) ** 2 + 1e-16));
          else if (what === 5 && ours.phases < 5) ours.addPhase(value, Math.min(size, 1));
          else if (what === 6 && ours.phases > 1) ours.removePhase(0);
          else if (what === 7) ours.step(value, Math.min(size, 1));
          else if (ours.phases < 5) ours.clonePhase(last);
        }
        const { mean, cov } = ours.collapse();
        for (const value of [...mean, ...cov]) expect(Number.isFinite(value)).toBe(true);
        expect(ours.weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 6);
        expect(positive(cov, ours.phases + 2)).toBe(true);
      }),
    );
  });

  it('goes on alike from a snapshot that went through JSON, and refuses one of another bank', () => {
    const ours = bank();
    ours.addPhase(0.3, 1e-3);
    ours.predict(70);
    ours.updatePhase(0, gaussian(0.301, 1e-8));
    const other = bank();
    other.restore(JSON.parse(JSON.stringify(ours.snapshot())));
    for (const one of [ours, other]) {
      one.predict(333);
      one.updatePhase(0, gaussian(0.302, 1e-8));
    }
    expect(other.snapshot()).toEqual(ours.snapshot());
    expect(() => new ClockBank(single).restore(ours.snapshot())).toThrow('other hypotheses');
  });
});
