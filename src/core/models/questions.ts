import type { ModelCounts, OpenModel, Tensor, Tensors } from '../contracts/index.js';
import type { ModelCard } from './card.js';

/** A worker that has not answered after so many time limits hangs: it is replaced. */
const HANGS = 10;

/**
 * So many questions at most go through a run. Those of one instant that fit into one are no queue, whatever its bound: all
 * of them are answered at once.
 */
const BATCH = 32;

/** Of real time: seconds, and how many questions wait. */
export interface Limits {
  readonly timeLimit: number;
  readonly queue: number;
}

/** What answers: a session in this process, or in a worker, which is another. */
export interface Engine {
  readonly where: string;
  /** Whether several questions at once cost less than one after another. */
  readonly batches: boolean;
  /** `begun` is called when the run begins: before it, a worker may have to be started. */
  run(inputs: Tensors, begun?: () => void): Promise<Tensors>;
  /** Gives up a run that hangs. */
  restart?(): void;
}

interface Question {
  readonly inputs: Tensors;
  /** Whether it has been given up, or is now because its time is over. */
  late(): boolean;
  answer(outputs: Tensors): void;
  /** Newer ones have taken its place. */
  drop(): void;
  fail(error: unknown): void;
}

/** The questions of one who opened a model, on the way to a session that others share. */
export class Questions implements OpenModel {
  readonly counts: ModelCounts = { asked: 0, late: 0, dropped: 0 };

  constructor(
    readonly card: ModelCard,
    private readonly engine: Engine,
    private readonly limits: Limits | undefined,
  ) {}

  get where(): string {
    return this.engine.where;
  }

  run(inputs: Tensors): Promise<Tensors | undefined> {
    const { limits, counts, engine } = this;
    counts.asked += 1;
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      let open = true;
      /** The first verdict counts, whatever comes after it. */
      const close = (count: 'late' | 'dropped' | undefined, settle: () => void): void => {
        if (!open) return;
        open = false;
        clearTimeout(timer);
        if (count !== undefined) counts[count] += 1;
        settle();
      };
      const due = limits === undefined ? Number.POSITIVE_INFINITY : performance.now() + 1000 * limits.timeLimit;
      const late = (): boolean => {
        // A session in this thread holds up the timer, too: the clock says what the timer could not.
        if (performance.now() > due) close('late', () => resolve(undefined));
        return !open;
      };
      const question: Question = {
        inputs,
        late,
        answer: outputs => {
          if (!late()) close(undefined, () => resolve(outputs));
        },
        drop: () => close('dropped', () => resolve(undefined)),
        fail: error => close(undefined, () => reject(error)),
      };
      const desk = deskOf(engine);
      if (limits !== undefined) {
        timer = setTimeout(() => {
          desk.forget(question);
          close('late', () => resolve(undefined));
        }, 1000 * limits.timeLimit);
      }
      desk.ask(question, limits);
    });
  }
}

const desks = new WeakMap<Engine, Desk>();

function deskOf(engine: Engine): Desk {
  let desk = desks.get(engine);
  if (desk === undefined) {
    desk = new Desk(engine);
    desks.set(engine, desk);
  }
  return desk;
}

/** Hands questions to an engine: those of one turn together, then the newest first, one run at a time. */
class Desk {
  private readonly waiting: Question[] = [];
  private busy = false;
  private called = false;

  constructor(private readonly engine: Engine) {}

  ask(question: Question, limits: Limits | undefined): void {
    this.waiting.push(question);
    if (this.busy) this.bound(limits);
    if (this.busy || this.called) return;
    this.called = true;
    queueMicrotask(() => {
      this.called = false;
      void this.work(limits);
    });
  }

  private bound(limits: Limits | undefined): void {
    if (limits === undefined) return;
    while (this.waiting.length > limits.queue) this.waiting.shift()!.drop();
  }

  /** Nobody waits for it any more: a run would only hold up those that somebody waits for. */
  forget(question: Question): void {
    const at = this.waiting.indexOf(question);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  private async work(limits: Limits | undefined): Promise<void> {
    this.busy = true;
    for (;;) {
      for (const question of this.waiting.filter(question => question.late())) this.forget(question);
      if (this.waiting.length === 0) break;
      const batch = this.engine.batches ? this.takeAlike() : [this.waiting.pop()!];
      // Before the first run none of this instant was turned away: only now is it known which of them wait.
      this.bound(limits);
      let watchdog: ReturnType<typeof setTimeout> | undefined;
      const begun = (): void => {
        if (limits === undefined || this.engine.restart === undefined) return;
        watchdog = setTimeout(() => this.engine.restart!(), 1000 * limits.timeLimit * HANGS);
        watchdog.unref();
      };
      try {
        const inputs = batch.map(question => question.inputs);
        const outputs = await this.engine.run(batch.length === 1 ? inputs[0]! : stacked(inputs), begun);
        const answers = batch.length === 1 ? [outputs] : rowsOf(outputs, batch.length);
        batch.forEach((question, row) => {
          question.answer(answers[row]!);
        });
      } catch (error) {
        for (const question of batch) question.fail(error);
      } finally {
        clearTimeout(watchdog);
      }
    }
    this.busy = false;
  }

  /** The newest question, and the newest of those whose inputs have the same dimensions. */
  private takeAlike(): readonly Question[] {
    const newest = this.waiting.at(-1)!;
    const alike = this.waiting.filter(question => sameDims(question.inputs, newest.inputs)).slice(-BATCH);
    for (const question of alike) this.forget(question);
    return alike;
  }
}

function sameDims(a: Tensors, b: Tensors): boolean {
  return Object.entries(a).every(([name, { dims }]) => dims.every((length, k) => length === b[name]!.dims[k]));
}

/** Questions one above the other along the batch axis, which is the first. */
export function stacked(batch: readonly Tensors[]): Tensors {
  const tensors = Object.entries(batch[0]!).map(([name, { data, dims }]): [string, Tensor] => {
    const all = new (data.constructor as new (length: number) => Float32Array)(data.length * batch.length);
    batch.forEach((inputs, row) => {
      all.set(inputs[name]!.data as Float32Array, row * data.length);
    });
    return [name, { data: all, dims: [batch.length, ...dims.slice(1)] }];
  });
  return Object.fromEntries(tensors);
}

/** The answer to each of the questions that were stacked. */
export function rowsOf(outputs: Tensors, count: number): readonly Tensors[] {
  for (const [name, { dims }] of Object.entries(outputs)) {
    if (dims[0] !== count) throw new Error(`'${name}' came as [${dims.join(', ')}] for a batch of ${count}`);
  }
  return Array.from({ length: count }, (_, row) => rowOf(outputs, row));
}

function rowOf(outputs: Tensors, row: number): Tensors {
  const tensors = Object.entries(outputs).map(([name, { data, dims }]): [string, Tensor] => {
    const length = data.length / dims[0]!;
    return [name, { data: data.slice(row * length, (row + 1) * length), dims: [1, ...dims.slice(1)] }];
  });
  return Object.fromEntries(tensors);
}
