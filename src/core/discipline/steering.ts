/** How a wall clock may be steered. Linux: USER_HZ 100, tick 9,000 to 11,000 µs, freq ±500 ppm. */
export interface SteeringLimits {
  /** Errors beyond this are stepped, where that is allowed. Seconds. */
  readonly step: number;
  /** The largest frequency correction of the kernel, s/s; beyond it the tick is changed. */
  readonly maxFrequency: number;
  /** The step by which the tick can be changed, and the most that it can be, s/s. */
  readonly tick: number;
  readonly maxTick: number;
}

/** Whether an error of this size (seconds) is to be stepped: a smaller one is slewed. */
export function isStep(offset: number, mayStep: boolean, { step }: SteeringLimits): boolean {
  return mayStep && Math.abs(offset) > step;
}

/** A frequency as adjtimex(2) takes it: whole steps of the tick, and the rest as fine adjustment. Both s/s. */
export interface KernelFrequency {
  readonly ticks: number;
  readonly fine: number;
}

/** The frequency nearest to the wanted one that the tick and the kernel's fine adjustment can make. */
export function attainable(wanted: number, { maxFrequency, tick, maxTick }: SteeringLimits): KernelFrequency {
  const beyond = Math.abs(wanted) - maxFrequency;
  const most = tick === 0 ? 0 : Math.floor(maxTick / tick + 1e-9);
  const ticks = beyond <= 0 || tick === 0 ? 0 : Math.min(Math.ceil(beyond / tick - 1e-9), most);
  const fine = Math.min(Math.abs(wanted) - ticks * tick, maxFrequency);
  const sign = Math.sign(wanted);
  return { ticks: ticks === 0 ? 0 : sign * ticks, fine: sign * fine };
}
