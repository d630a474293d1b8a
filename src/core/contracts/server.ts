/** What an NTP server says of itself. */
export interface ServerState {
  readonly leap: number;
  readonly stratum: number;
  /** log2 of seconds. */
  readonly precision: number;
  /** Seconds. */
  readonly rootDelay: number;
  /** Seconds. */
  readonly rootDispersion: number;
  readonly referenceId: number;
  /** When its clock was last set, by its own time in seconds since the epoch; left out: now. */
  readonly reference?: number;
}

/** What is wrong with an answer: left out, nothing. */
export interface Lie {
  /** Added to both of its timestamps, seconds. */
  readonly shift?: number;
  /** What it says of itself instead. */
  readonly state?: Partial<ServerState>;
}

/** A simulated server as its behaviour sees it. */
export interface ServerSide {
  readonly name: string;
  /** Seconds between a question's arrival and the answer's departure. */
  readonly processing: number;
  /**
   * The answer of an honest server (or of one that tells a lie) to a datagram that arrives at true time `at`; undefined
   * if the datagram asks for nothing.
   */
  respond(question: Uint8Array, at: number, lie?: Lie): Uint8Array | undefined;
}

export interface Reply {
  readonly bytes: Uint8Array;
  /** It departs this many seconds after the question's arrival. */
  readonly after: number;
}

/**
 * A plugin of kind `server`: how a simulated server behaves, beyond its clock and what it says of itself.
 *
 * What an implementer owes: an answer that depends on the asker's own questions only, never on who else asks (draws come
 * from a stream for each asker); an empty list where it does not answer.
 */
export interface ServerBehaviour {
  /** `asker` names the association that asks; `at`: true time of the question's arrival, seconds. */
  answer(question: Uint8Array, asker: string, at: number, server: ServerSide): readonly Reply[];
}
