import type { MachineClock, Passage, Snapshot, Stateful } from '../contracts/index.js';
import type { PipelineState } from '../pipeline/kept.js';
import type { Pipeline } from '../pipeline/pipeline.js';
import type { PluginChoice } from '../plugin/registry.js';

/** What a run knows that is worth more than a fresh start. Plain JSON. */
export interface KeptState {
  /** Unix time, seconds. */
  readonly written: number;
  /** Where the machine's clock can go on counting. */
  readonly clock?: Snapshot | undefined;
  /** By the part's kind and place in the scenario. */
  readonly parts: Readonly<Record<string, KeptPart>>;
  readonly pipelines: Readonly<Record<string, PipelineState>>;
}

interface KeptPart extends Snapshot {
  /** The plugin and its options: another plugin, or the same with other options, does not get it. */
  readonly identity: string;
}

type Tell = (part: string, what: string) => void;

/** Hands plugins what an earlier run has kept of them, and collects what is to be kept of this one. */
export class Keeper {
  private readonly parts = new Map<string, { readonly made: Stateful; readonly identity: string }>();
  private passage: Passage | undefined;
  private restored = 0;

  constructor(
    private readonly from: KeptState | undefined,
    private readonly tell: Tell,
  ) {}

  /** Lets the counter go on where it can. Before its first reading. */
  resume(clock: MachineClock): void {
    if (this.from === undefined) return;
    const elapsed = Math.max(0, Date.now() / 1000 - this.from.written);
    const why =
      this.from.clock === undefined || clock.resume === undefined
        ? 'the clock cannot tell'
        : clock.resume(this.from.clock);
    this.passage = { continues: why === undefined, elapsed };
    if (why !== undefined)
      this.tell('state', `the counter has begun anew: drift and paths are kept, phases not (${why})`);
  }

  /** A plugin has been made: it gets what was kept of it. */
  open(kind: string, made: object, { use, ...options }: PluginChoice, part: string): void {
    const stateful = made as Stateful;
    // The machine's clock is asked apart: all else depends on what it says.
    if (kind === 'clock' || stateful.snapshot === undefined) return;
    const key = `${kind} ${part}`;
    const identity = JSON.stringify([use, options]);
    this.parts.set(key, { made: stateful, identity });
    const kept = this.from?.parts[key];
    if (kept === undefined || this.passage === undefined || stateful.restore === undefined) return;
    if (kept.identity !== identity) {
      this.tell('state', `${part}: another plugin, or other options, than before: it starts anew`);
      return;
    }
    try {
      stateful.restore({ version: kept.version, state: kept.state }, this.passage);
      this.restored += 1;
    } catch (error) {
      this.tell('state', `${part}: what was kept of it is of no use (${messageOf(error)}): it starts anew`);
    }
  }

  openPipeline(pipeline: Pipeline): void {
    const kept = this.from?.pipelines[pipeline.name];
    if (kept === undefined || this.passage === undefined) return;
    try {
      pipeline.restore(kept, this.passage);
      this.restored += 1;
    } catch (error) {
      this.tell('state', `pipeline '${pipeline.name}' starts anew: ${messageOf(error)}`);
    }
  }

  /** How many parts go on from what was kept, for people. */
  report(): void {
    if (this.from === undefined || this.passage === undefined) return;
    const { continues, elapsed } = this.passage;
    this.tell(
      'state',
      `${this.restored} parts go on after ${elapsed.toFixed(0)} s${continues ? '' : ', without phases'}`,
    );
  }

  take(clock: MachineClock, pipelines: readonly Pipeline[]): KeptState {
    const parts: Record<string, KeptPart> = {};
    // Of sources that have not been heard again yet; after a reboot they would be taken for what they are not.
    if (this.passage?.continues) Object.assign(parts, this.from?.parts);
    for (const [key, { made, identity }] of this.parts) {
      const snapshot = made.snapshot?.();
      if (snapshot !== undefined) parts[key] = { identity, ...snapshot };
    }
    return {
      written: Date.now() / 1000,
      clock: clock.snapshot?.(),
      parts,
      pipelines: Object.fromEntries(pipelines.map(pipeline => [pipeline.name, pipeline.snapshot()])),
    };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
}
