import type { NtpTimestamp } from '../ntp/packet.js';
import type { Estimate } from './estimate.js';
import type { ServerBehaviour, ServerState } from './server.js';
import type { RandomStream } from './world.js';

/** A packet that somebody else sends to the client, as an answer to its question. */
export interface Forgery {
  /** Arrives this many seconds after the question was sent. */
  readonly after: number;
  /** Its bytes, from the question's, where the forger can see it (`onPath`), or from nothing. */
  readonly make: (question: Uint8Array) => Uint8Array;
  /** It comes from another address than the server's. */
  readonly elsewhere?: boolean;
}

/**
 * What happens to one packet on top of its path: all effects in force are asked, each with its own stream, when the
 * question is sent.
 */
export interface PathEffect {
  /** True if the packet is lost. `at`: true time of its question's departure, seconds. */
  lost?(random: RandomStream, at: number): boolean;
  /** Seconds of extra delay; negative where the way got shorter (in all it is never less than 0). */
  delay?(random: RandomStream, at: number): number;
  /** A copy that arrives this many seconds after the packet; undefined for none. */
  copy?(random: RandomStream, at: number): number | undefined;
  /** What arrives instead; undefined if the packet stays as it is. */
  mangle?(random: RandomStream, at: number): ((bytes: Uint8Array) => Uint8Array) | undefined;
  /** True if an answer is held back and delivered to the association's next question (direction `back` only). */
  late?(random: RandomStream, at: number): boolean;
  /** An answer that is none (direction `back` only). */
  forge?(random: RandomStream, at: number): Forgery | undefined;
}

export type Direction = 'out' | 'back';

/** Which packets: all where a field is left out. `out` is from the client to the server. */
export interface PathSelector {
  readonly servers?: readonly string[] | undefined;
  readonly directions?: readonly Direction[] | undefined;
}

/** Which predictors: all where a field is left out, and of each pipeline its own unless one inside it is named. */
export interface PredictorSelector {
  readonly pipelines?: readonly string[] | undefined;
  readonly predictor?: string | undefined;
}

/** What a fault can do to a simulated server. */
export interface ServerControls {
  /** Adds to the server's clock, seconds (negative again to undo). */
  shift(by: number): void;
  /** The server's clock gains `rate` seconds a second; ended, it keeps what it gained, until it is shifted back. */
  drift(rate: number): () => number;
  /** What the server says of itself from now on; returns how to end it. */
  claim(state: Partial<ServerState>): () => void;
  /** The server behaves in another way from now on; returns how to end it. */
  behave(behaviour: ServerBehaviour): () => void;
}

/**
 * A change of the oscillator's frequency that has a course in time, as functions of the seconds since it began:
 * `frequency` in s/s, and `phase`, its integral from 0, in seconds.
 */
export interface FrequencyDisturbance {
  frequency(elapsed: number): number;
  phase(elapsed: number): number;
}

/** What a fault can do to the simulated client's clock. What returns a function returns how to end it. */
export interface ClockControls {
  /** Adds to the wall clock only, seconds, as `date -s` would. */
  stepWall(by: number): void;
  /** Another daemon makes the wall clock gain `rate` seconds a second; the counter does not notice. Rates add up. */
  slewWall(rate: number): () => void;
  /** Adds to the oscillator's fractional frequency from now on, s/s: both axes feel it. */
  stepFrequency(by: number): void;
  /** The oscillator's frequency follows a course: both axes feel it. Ended, it leaves the phase that it made. */
  disturbFrequency(disturbance: FrequencyDisturbance): () => void;
  /** Sets the counter to another value, as a machine does that is moved to another host. Timers do not notice. */
  resetCounter(to: number): void;
  /**
   * The machine stands still: no program runs, no packet comes in, both clocks stop. After a `suspend` the wall clock is
   * right again but for `wallError` (it is set from the hardware clock) and packets are lost; a `freeze` (a guest whose
   * host does not run it) is noticed by neither clock, and packets wait. Ignored while it stands still already.
   */
  pause(kind: 'suspend' | 'freeze', wallError?: number): () => void;
}

/** The simulated world as a fault sees it. */
export interface FaultTarget {
  readonly clock: ClockControls;
  readonly servers: readonly string[];
  server(name: string): ServerControls;
  /** Disturbs packets sent from now on; returns how to end it. */
  disturb(selector: PathSelector, effect: PathEffect): () => void;
  /**
   * UTC repeats its last second of a day (`by` −1, an inserted leap second) or leaves it out (+1). The day ends `notice`
   * seconds from now; left out, when the UTC day ends. Servers announce it for the last day before it.
   */
  leapSecond(by: -1 | 1, notice: number | undefined): void;
  /** Changes what predictors answer from now on (or undefined: no answer); returns how to end it. */
  tamper(selector: PredictorSelector, change: (answer: Estimate | undefined) => Estimate | undefined): () => void;
  /**
   * The bytes of an answer that tells `time` (true seconds since the run's epoch): to the question's own origin
   * timestamp, or to one that was guessed.
   */
  forge(question: Uint8Array, time: number, guess: NtpTimestamp | undefined): Uint8Array;
}

/**
 * A plugin of kind `fault`: something that goes wrong in a simulated world.
 *
 * When it strikes (`at`, `every`) and how long it lasts (`for`) stand in the scenario's timeline and are not the
 * fault's business. What an implementer owes: `inject` starts it and returns how to end it (nothing if it is over at
 * once); it draws from its own stream, handed to its effects, only.
 */
export interface Fault {
  inject(target: FaultTarget): undefined | (() => void);
}
