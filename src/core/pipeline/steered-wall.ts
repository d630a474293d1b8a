import type { ClockReading, CorrectedTime, Discipline, SteerableClock, SteeringError } from '../contracts/index.js';

/** Between the name of a pipeline and what its disciplined wall clock is called. */
export const WALL = '.wall';

/**
 * One pipeline's own steered wall clock: the undisciplined wall clock, and what has been steered, a function of the
 * counter. A pipeline knows what it steers exactly, so its estimates are of the undisciplined clocks, whatever happens
 * here; what the machine's programs would be told is `tell`.
 *
 *     steered(c) = steps + finished slews + f·(c − c₀) + min(|slew|, rate·(c − c₀))·sign(slew)
 */
export class SteeredWall implements SteerableClock {
  private base = 0;
  private frequency = 0;
  private slewing = 0;
  private slewRate = 0;
  private since = 0;
  private now = 0;
  private started = false;

  constructor(
    readonly name: string,
    private readonly level: number,
    private readonly discipline: Discipline,
  ) {}

  /** Steered − undisciplined wall clock at a reading, seconds. */
  offsetAt(counter: number): number {
    const elapsed = counter - this.since;
    const slewed = Math.min(Math.abs(this.slewing), this.slewRate * Math.max(0, elapsed));
    return this.base + this.frequency * elapsed + Math.sign(this.slewing) * slewed;
  }

  /** What a program would be told. */
  tell(reading: ClockReading): CorrectedTime {
    const offset = this.offsetAt(reading.counter);
    return {
      time: reading.wall + offset,
      offset,
      axis: 'wall',
      uncertainty: undefined,
      level: this.level,
      maxError: undefined,
      by: this.name,
    };
  }

  /** The pipeline tells something new: `ahead` is what it tells a second after the reading. */
  follow(told: CorrectedTime, ahead: CorrectedTime, reading: ClockReading, cause: 'update' | 'leap'): void {
    this.now = reading.counter;
    const error: SteeringError = {
      offset: told.time - reading.wall - this.offsetAt(reading.counter),
      drift: ahead.offset - told.offset,
      cause: this.started ? cause : 'first',
    };
    this.started = true;
    this.discipline.steer(error, this);
  }

  step(by: number): void {
    this.settle();
    this.base += by;
  }

  slew(by: number, rate: number): void {
    this.settle();
    this.slewing = by;
    this.slewRate = rate;
  }

  setFrequency(rate: number): void {
    const left = this.settle();
    this.frequency = rate;
    this.slewing = left;
  }

  /** Counts what has been steered until now as done; returns what was left of the slew, which is given up. */
  private settle(): number {
    const elapsed = this.now - this.since;
    const slewed = Math.sign(this.slewing) * Math.min(Math.abs(this.slewing), this.slewRate * Math.max(0, elapsed));
    this.base += this.frequency * elapsed + slewed;
    this.since = this.now;
    const left = this.slewing - slewed;
    this.slewing = 0;
    return left;
  }
}
