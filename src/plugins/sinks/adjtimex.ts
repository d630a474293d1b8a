import { readFileSync } from 'node:fs';
import { inject } from 'inversify';
import { z } from 'zod';
import type { Answer, RoundRecord, RunInfo, Sink, TimeService } from '../../core/contracts/index.js';
import { KernelClock, type Timex } from '../../core/discipline/kernel-clock.js';
import { InputError } from '../../core/errors.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Report } from '../../core/plugin/tokens.js';
import { formatTime, time } from '../../core/quantity.js';
import { expectServable } from '../../core/serving/real-time.js';
import { trustOptions, whyUnknown } from '../../core/serving/trust.js';
import { CAP_SYS_TIME, LinuxTimex } from '../../platform/timex.js';

const Options = z.strictObject({
  allow: z.enum(['nothing', 'slew', 'step']).meta({
    description:
      'What may be done to the system clock; there is no default. nothing: only says what it would do. slew: sets its ' +
      'frequency, and slews its error at 500 ppm. step: also steps errors beyond `step`.',
  }),
  step: time('Errors beyond this are stepped, where stepping is allowed.', { above: 0 }).prefault('128 ms'),
  steps: z
    .union([z.int().min(0), z.literal('always')])
    .default(3)
    .meta({ description: 'Only the first so many updates may step.' }),
  largest: time('Errors beyond this are left alone: somebody should look.', { above: 0 }).prefault('1000 s'),
  every: time('How often the clock is steered.', { min: 1, max: 3600 }).prefault('4 s'),
  ...trustOptions,
});

/** The drift is taken over so many seconds to come: whatever timekeeper tells it. */
const AHEAD = 10;

/**
 * Steers the system clock (Linux's adjtimex(2)) to follow the corrected time: nothing else here ever does. It needs
 * CAP_SYS_TIME, a pipeline on the counter, which nobody steers, and nobody else who steers the clock: when somebody does
 * it lets go, and says so. While the time is not known the clock is left to the frequency that was set last.
 */
@plugin({
  kind: 'sink',
  name: 'adjtimex',
  summary: 'Steers the system clock, if it is told that it may',
  options: Options,
  example: { allow: 'nothing' },
})
export class AdjtimexSink implements Sink {
  private pipeline = '';
  private service!: TimeService;
  private clock: KernelClock | undefined;
  private updates = 0;
  private told = '';
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Report) private readonly report: Report,
  ) {}

  start(run: RunInfo, service: TimeService): void {
    this.begin(run, service, this.options.allow === 'nothing' ? undefined : permittedTimex());
    this.timer = setInterval(() => this.steer(), this.options.every * 1000).unref();
  }

  /** As `start`, with the kernel's call; left out: nothing is done. */
  begin(run: RunInfo, service: TimeService, timex: Timex | undefined): void {
    this.pipeline = expectServable('adjtimex', run, this.options.pipeline);
    if (run.counterOrigin === undefined) {
      throw new InputError(
        'sink adjtimex',
        'needs a clock whose counter is CLOCK_MONOTONIC_RAW: any other is steered with the system clock',
        `this run reads ${run.clock}`,
      );
    }
    this.service = service;
    if (timex !== undefined) this.clock = new KernelClock(timex, this.options.step);
    const { allow } = this.options;
    this.report(
      allow === 'nothing'
        ? 'only says what it would do to the system clock'
        : `steers the system clock by '${this.pipeline}': ${allow === 'slew' ? 'slews only' : 'slews and steps'}`,
    );
  }

  round({ pipeline, told }: RoundRecord): void {
    if (pipeline !== this.pipeline || told.axis === 'counter' || told.maxError === undefined) return;
    throw new InputError(
      'sink adjtimex',
      `expected a pipeline on the counter, found '${pipeline}' on the wall clock, which it would steer`,
      'axis: counter',
    );
  }

  finish(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.clock = undefined;
  }

  /** One update of the clock. */
  steer(): void {
    const { service, pipeline, options } = this;
    const now = service.read(pipeline);
    const why = whyUnknown(now, options);
    if (why !== undefined) {
      this.say(`leaves the clock alone: ${why}`);
      return;
    }
    const offset = now.told.time - now.reading.wall;
    if (Math.abs(offset) > options.largest) {
      this.say(`leaves the clock alone: it is wrong by ${formatTime(offset)}, which is more than it may set`);
      return;
    }
    const frequency = frequencyOf(now, service.ahead(AHEAD, pipeline));
    const mayStep = options.allow === 'step' && (options.steps === 'always' || this.updates < options.steps);
    try {
      if (this.clock?.taken) {
        this.say('lets go of the clock: another program has changed its frequency');
        this.finish();
        return;
      }
      this.updates += 1;
      const { maxError, uncertainty } = now.told;
      const quality = { maxError: maxError!, uncertainty: uncertainty! };
      const done = this.clock?.steer(offset, frequency, mayStep, quality);
      const verb = done === undefined ? 'would set' : done.did === 'step' ? 'steps' : 'steers';
      const ppm = (1e6 * (done?.frequency ?? frequency)).toFixed(3);
      if (verb === 'steps') this.say(`steps the clock by ${formatTime(offset, true)}`);
      else this.say(`${verb} the clock: ${formatTime(offset, true)} to make good, ${ppm} ppm`, verb);
    } catch (error) {
      this.say(`lets go of the clock: ${error instanceof Error ? error.message : String(error)}`);
      this.finish();
    }
  }

  /** Of what goes on in the same way only the first time is told. */
  private say(what: string, like = what): void {
    if (like === this.told) return;
    this.told = like;
    this.report(what);
  }
}

/** What the clock has to gain on the counter to run as it should, s/s. */
function frequencyOf(now: Answer, later: Answer): number {
  if (later.told.by !== now.told.by || later.told.maxError === undefined) return now.estimate!.drift;
  return (later.told.time - now.told.time) / (later.reading.counter - now.reading.counter) - 1;
}

/** The kernel's call, if this process may make it. Throws an `InputError` that says what is missing. */
function permittedTimex(): Timex {
  let timex: Timex;
  try {
    timex = LinuxTimex.load();
  } catch (error) {
    throw new InputError('sink adjtimex', error instanceof Error ? error.message : String(error));
  }
  // Asked without setting anything: a refusal is then told at the start, and not when the first error is found.
  const capabilities = /^CapEff:\s*([\da-f]+)$/im.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  if (capabilities !== undefined && (BigInt(`0x${capabilities}`) & (1n << CAP_SYS_TIME)) === 0n) {
    throw new InputError(
      'sink adjtimex',
      'may not set the system clock: not permitted (EPERM)',
      'it needs CAP_SYS_TIME: run it as root, give the service AmbientCapabilities=CAP_SYS_TIME, or use `allow: nothing`',
    );
  }
  return timex;
}
