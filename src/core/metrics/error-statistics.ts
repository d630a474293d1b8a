import type { CorrectedTime, ErrorStatistics, PipelineSummary } from '../contracts/index.js';

/** Bins per octave: a bin is at most 1/128 wide, so its middle is within 0.4 % of anything in it. */
const BITS = 7;
const SHIFT = 20 - BITS;
const LOWEST = ((-70 + 1023) << 20) >>> SHIFT;
const HIGHEST = ((40 + 1023) << 20) >>> SHIFT;

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);

/** A log-scaled histogram of sizes, from 2⁻⁷⁰ to 2⁴⁰ s, in flat memory; percentiles within 0.5 %. */
export class LogHistogram {
  private readonly counts = new Uint32Array(HIGHEST - LOWEST + 1);
  private total = 0;

  add(size: number): void {
    float[0] = size;
    const bin = (words[1]! >>> SHIFT) - LOWEST;
    this.counts[Math.max(0, Math.min(HIGHEST - LOWEST, bin))]! += 1;
    this.total += 1;
  }

  /** The size under which a share `p` of the values lies (nearest rank). */
  percentile(p: number): number {
    const rank = Math.max(1, Math.ceil(p * this.total));
    let seen = 0;
    for (let bin = 0; bin < this.counts.length; bin++) {
      seen += this.counts[bin]!;
      if (seen >= rank) return bin === 0 ? 0 : (edgeOf(bin) + edgeOf(bin + 1)) / 2;
    }
    return 0;
  }
}

function edgeOf(bin: number): number {
  words[1] = (bin + LOWEST) << SHIFT;
  words[0] = 0;
  return float[0]!;
}

/** Error statistics of one pipeline against one reference, gathered sample by sample in flat memory. */
export class ErrorAccumulator {
  private n = 0;
  private sumSize = 0;
  private mean = 0;
  private m2 = 0;
  private sumSquare = 0;
  private worst = 0;
  private wins = 0;
  private known = 0;
  private covered = 0;
  private sumWidth = 0;
  private maxKnown = 0;
  private maxCovered = 0;
  private sumMaxWidth = 0;
  private readonly sizes = new LogHistogram();

  /** `error` and `bareError` are told − reference in seconds, the second of the bare clock at the same instant. */
  add(error: number, bareError: number, told: CorrectedTime): void {
    const size = Math.abs(error);
    const bareSize = Math.abs(bareError);
    this.n += 1;
    this.sumSize += size;
    this.sumSquare += error * error;
    const delta = error - this.mean;
    this.mean += delta / this.n;
    this.m2 += delta * (error - this.mean);
    if (size > this.worst) this.worst = size;
    if (size < bareSize) this.wins += 1;
    else if (size === bareSize) this.wins += 0.5;
    this.sizes.add(size);
    const { uncertainty, maxError } = told;
    if (uncertainty !== undefined) {
      this.known += 1;
      this.sumWidth += 2 * uncertainty;
      if (size <= uncertainty) this.covered += 1;
    }
    if (maxError !== undefined) {
      this.maxKnown += 1;
      this.sumMaxWidth += 2 * maxError;
      if (size <= maxError) this.maxCovered += 1;
    }
  }

  summary(name: string, level: number, reference: 'truth' | 'ntp'): PipelineSummary {
    const { n, known, maxKnown } = this;
    return {
      name,
      samples: n,
      error: n === 0 ? null : this.statistics(),
      winRate: n === 0 ? null : this.wins / n,
      bounds: {
        level,
        coverage: known === 0 ? null : this.covered / known,
        meanWidth: known === 0 ? null : this.sumWidth / known,
        maxErrorCoverage: maxKnown === 0 ? null : this.maxCovered / maxKnown,
        maxErrorMeanWidth: maxKnown === 0 ? null : this.sumMaxWidth / maxKnown,
      },
      reference,
    };
  }

  private statistics(): ErrorStatistics {
    const { n, worst } = this;
    const percentile = (p: number): number => Math.min(worst, this.sizes.percentile(p));
    return {
      mae: this.sumSize / n,
      rms: Math.sqrt(this.sumSquare / n),
      std: Math.sqrt(this.m2 / n),
      bias: this.mean,
      p50: percentile(0.5),
      p95: percentile(0.95),
      p99: percentile(0.99),
      max: worst,
    };
  }
}
