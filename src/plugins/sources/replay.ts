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
  private playing = false;

  constructor(
    @inject(Playback) private readonly playback: Playback,
    @inject(PartName) private readonly part: string,
  ) {
    playback.listen(part, event => {
      if (this.playing) this.events.next(event);
    });
  }

  get servers(): readonly string[] {
    return this.playback.servers;
  }

  get outstanding(): number {
    return this.playback.outstanding(this.part);
  }

  start(): void {
    this.playing = true;
  }

  stop(): void {
    this.playing = false;
  }
}
