import { Subject } from 'rxjs';
import type {
  ClockReading,
  Estimate,
  Exchange,
  History,
  Predictor,
  SourceEvent,
  World,
} from '../../src/core/contracts/index.js';
import { Pipeline } from '../../src/core/pipeline/pipeline.js';
import { RealtimeScheduler } from '../../src/core/world/realtime-scheduler.js';
import { SystemClock } from '../../src/plugins/clocks/system.js';
import { made } from './make-plugin.js';

/** A pipeline in real time, whose source is the test, and whose predictor can be told to answer otherwise. */
export interface Stand {
  readonly pipeline: Pipeline;
  readonly predictor: { answer: (() => Promise<Estimate | undefined>) | undefined };
  readonly said: readonly string[];
  ask(exchange: Exchange): void;
  /** Resolves when so many rounds are done. */
  rounds(count: number): Promise<void>;
}

export function exchange(t: number, offset: number): Exchange {
  const at = (seconds: number): ClockReading => ({ wall: seconds, counter: seconds });
  return {
    source: 'server',
    sent: at(t - 1e-3),
    arrived: at(t + 1e-3),
    receive: t + offset,
    transmit: t + offset,
    leap: 0,
    stratum: 1,
    precision: 1e-7,
    rootDelay: 0,
    rootDispersion: 1e-4,
    referenceId: 0,
  };
}

export function predictorPipeline({
  deadline,
  timekeeper = 'drift',
}: {
  readonly deadline?: number;
  readonly timekeeper?: string;
} = {}): Stand {
  const clock = new SystemClock({ through: 'auto' });
  const scheduler = new RealtimeScheduler(clock);
  // Its timers run while it does; what it is still waiting for does not hold the test up.
  void scheduler.run(clock.read().counter + 20);
  const world = { kind: 'real', clock, scheduler, epoch: 0 } as unknown as World;
  const events = new Subject<SourceEvent>();
  const kalman = made('predictor', { use: 'kalman' });
  const control: Stand['predictor'] = { answer: undefined };
  const predictor: Predictor = {
    predict: (history: History, at: ClockReading) => control.answer?.() ?? kalman.predict(history, at),
  };
  const said: string[] = [];
  const pipeline = new Pipeline(
    {
      name: 'p',
      axis: 'counter',
      level: 0.95,
      sources: [{ events, outstanding: 0, servers: ['server'], start: () => {}, stop: () => {} }],
      filtersFor: () => [],
      combiner: undefined,
      predictor,
      corrector: made('corrector', { use: 'kalman' }),
      timekeeper: made('timekeeper', { use: timekeeper }),
      ...(deadline !== undefined && { deadline }),
      report: what => said.push(what),
    },
    world,
  );
  let done = 0;
  let waiting: (() => void) | undefined;
  pipeline.outcomes.subscribe(() => {
    done += 1;
    waiting?.();
  });
  return {
    pipeline,
    predictor: control,
    said,
    ask: one => events.next({ type: 'exchange', exchange: one }),
    rounds: count =>
      new Promise(resolve => {
        waiting = () => {
          if (done >= count) resolve();
        };
        waiting();
      }),
  };
}
