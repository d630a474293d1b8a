import { inject } from 'inversify';
import { Subject } from 'rxjs';
import { z } from 'zod';
import type { Source, SourceEvent } from '../../core/contracts/index.js';
import { plugin } from '../../core/plugin/registry.js';
import { PartName, Playback } from '../../core/plugin/tokens.js';

const Options = z.strictObject({});

/**
 * The recording of a replayed world. A source named like one in the recording hands on that one's events; any other
 * name, all of them.
 */
@plugin({ kind: 'source', name: 'replay', summary: 'The measurements of a recording', options: Options })
export class ReplaySource implements Source {
  readonly events = new Subject<SourceEvent>();
  outstanding = 0;
  private playing = false;

  constructor(
    @inject(Playback) private readonly playback: Playback,
    @inject(PartName) private readonly part: string,
  ) {}

  get servers(): readonly string[] {
    return this.playback.servers;
  }

  start(): void {
    this.playing = true;
    this.playback.listen(this.part, ({ event }, outstanding) => {
      if (!this.playing) return;
      this.outstanding = outstanding;
      this.events.next(event);
    });
  }

  stop(): void {
    this.playing = false;
  }
}
