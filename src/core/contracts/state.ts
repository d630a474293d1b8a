/** A part's state as JSON, with the version of its layout. */
export interface Snapshot {
  readonly version: number;
  readonly state: unknown;
}

/** What has passed between a snapshot and now. */
export interface Passage {
  /**
   * True where the counter has gone on counting: every instant and offset of the snapshot means what it meant. False
   * where it has begun anew, as after a reboot (or stood still, in suspend): then only ages, delays and rates mean
   * anything.
   */
  readonly continues: boolean;
  /** Seconds, by the wall clock; never negative. */
  readonly elapsed: number;
}

/** A plugin whose state lives longer than its process. What it learns only slowly is worth keeping; the rest is not. */
export interface Stateful {
  snapshot?(): Snapshot;
  /**
   * Called once, before anything else. Throws an Error that says what is wrong where the snapshot is not its own or of
   * another version; it then starts as if it had not been asked.
   */
  restore?(snapshot: Snapshot, passage: Passage): void;
}
