import { inject } from 'inversify';
import { Subject } from 'rxjs';
import { z } from 'zod';
import {
  type ClockReading,
  type Combination,
  type Combiner,
  type CorrectedTime,
  type Corrector,
  type Estimate,
  type Filter,
  type History,
  type Measurement,
  type Predictor,
  type Source,
  type SourceEvent,
  type Timekeeper,
  World,
} from '../../src/core/contracts/index.js';
import { bareTime } from '../../src/core/pipeline/telling.js';
import { plugin } from '../../src/core/plugin/registry.js';
import { PartName, Playback, Streams } from '../../src/core/plugin/tokens.js';

/** Everything that any of the spies was ever given, but for the instants at which scoring asked the timekeeper. */
export const kept: unknown[] = [];
export const told: unknown[] = [];
const spies = { summary: 'Keeps all that it is given', options: z.strictObject({}) };

@plugin({ kind: 'source', name: 'spy-source', ...spies })
export class SpySource implements Source {
  readonly events = new Subject<SourceEvent>();
  readonly servers: readonly string[];

  constructor(
    @inject(Playback) private readonly playback: Playback,
    @inject(World) private readonly world: World,
    @inject(PartName) private readonly part: string,
    @inject(Streams) streams: Streams,
  ) {
    this.servers = playback.servers;
    kept.push(playback, world, part, streams);
    playback.listen(part, (...given) => {
      kept.push(...given, this.world.clock.read(), this.world.scheduler.time, this.world.scheduler.now());
      this.events.next(given[0]);
    });
  }

  get outstanding(): number {
    return this.playback.outstanding(this.part);
  }

  start(): void {
    this.world.scheduler.schedule(() => kept.push(this.world.clock.read(), this.world.scheduler.time), 30_000);
  }

  stop(): void {}
}

@plugin({ kind: 'filter', name: 'spy-filter', ...spies })
export class SpyFilter implements Filter {
  filter(...given: [Measurement, History]): Measurement {
    kept.push(...given);
    return given[0];
  }
}

@plugin({ kind: 'combiner', name: 'spy-combiner', ...spies })
export class SpyCombiner implements Combiner {
  combine(...given: [readonly Measurement[]]): Combination {
    kept.push(...given);
    return { measurements: given[0], verdicts: given[0].map(({ source }) => ({ source, used: true, reason: '' })) };
  }
}

@plugin({ kind: 'predictor', name: 'spy-predictor', ...spies })
export class SpyPredictor implements Predictor {
  constructor(@inject(World) private readonly world: World) {
    kept.push(world);
  }

  predict(...given: [History, ClockReading]): Estimate | undefined {
    kept.push(...given, this.world.clock.read(), this.world.scheduler.time);
    return given[0].estimate;
  }
}

@plugin({ kind: 'corrector', name: 'spy-corrector', ...spies })
export class SpyCorrector implements Corrector {
  correct(...given: [Estimate | undefined, Measurement, History]): Estimate {
    kept.push(...given);
    const { at, offset, rootDistance } = given[1];
    const rest = { drift: 0, p00: 1e-6, p01: 0, p11: 1e-12, whiteFm: 0, randomWalkFm: 0, maxErrorRate: 1e-5 };
    return { at, axis: given[2].axis, offset, ...rest, maxError: rootDistance, by: 'spy-corrector' };
  }
}

@plugin({ kind: 'timekeeper', name: 'spy-timekeeper', ...spies })
export class SpyTimekeeper implements Timekeeper {
  tell(...[estimate, reading, level]: [Estimate | undefined, ClockReading, number]): CorrectedTime {
    told.push(estimate, { ...reading }, level);
    return bareTime(reading, level);
  }
}
