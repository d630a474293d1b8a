import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { join } from 'node:path';
import type { RoundRecord, RunSummary, Sink } from '../core/contracts/index.js';
import { InputError } from '../core/errors.js';
import type { KeptState } from '../core/experiment/keeping.js';
import type { LoadedScenario } from '../core/experiment/load-scenario.js';
import type { RunHandle } from '../core/experiment/run.js';
import { formatTime } from '../core/quantity.js';
import { Notifier, watchdogPeriod } from '../platform/notify.js';
import { type ExecuteOptions, execute } from './run.js';
import { StateFile } from './state-file.js';

/** What has been learned is written this often, milliseconds. */
const KEEP_PERIOD = 300_000;
/** A changed file is seen this soon, milliseconds. */
const LOOK_PERIOD = 1000;
/** systemd's status line changes no more often, milliseconds. */
const STATUS_PERIOD = 1000;

/** Where a configuration comes from. */
export interface Configuration {
  /** The file and those that it extends. */
  readonly files: readonly string[];
  /** Reads it again. */
  load(): Promise<LoadedScenario>;
}

export interface ServiceOptions extends Omit<ExecuteOptions, 'signal' | 'kept' | 'underWay'> {
  /** A file to keep what is learned in. */
  readonly state?: string | undefined;
  /** Where `state` was named, for messages. */
  readonly statePlace?: string;
  readonly configuration?: Configuration | undefined;
}

export interface Served {
  readonly summary: RunSummary;
  /** What ended it, if it was not its duration. */
  readonly endedBy: 'SIGINT' | 'SIGTERM' | undefined;
}

/**
 * A run that is to go on: keeps what it learns, takes a new configuration without forgetting, and tells systemd how it
 * is. A new configuration is a new run that goes on from what the old one knew; if it cannot begin, the old one goes on.
 */
export async function keepGoing(first: LoadedScenario, options: ServiceOptions): Promise<Served> {
  return new Service(first, options).run();
}

class Service {
  private readonly file: StateFile | undefined;
  private readonly notifier = new Notifier();
  private current: LoadedScenario;
  /** What is running next, once the current run has ended for it. */
  private next: LoadedScenario | undefined;
  private previous: LoadedScenario | undefined;
  private kept: KeptState | undefined;
  private handle: RunHandle | undefined;
  /** To be told once there is somebody to tell. */
  private notes: (readonly [part: string, what: string])[] = [];
  private stop = new AbortController();
  private endedBy: Served['endedBy'];
  private loading = false;
  private cannotKeep = false;
  private statusAt = Number.NEGATIVE_INFINITY;

  constructor(
    first: LoadedScenario,
    private readonly options: ServiceOptions,
  ) {
    this.current = first;
    if (options.state === undefined) return;
    this.file = new StateFile(options.state);
    this.file.check(options.statePlace ?? '--state');
  }

  async run(): Promise<Served> {
    this.recall();
    const release = this.attend();
    try {
      for (let generation = 0; ; generation++) {
        const summary = await this.session(generation);
        if (summary === undefined) continue;
        this.keep();
        if (this.next === undefined || this.endedBy !== undefined) return { summary, endedBy: this.endedBy };
        this.kept = this.handle!.keep();
        this.handle = undefined;
        this.previous = this.current;
        this.current = this.next;
        this.next = undefined;
        this.notes.push(['configuration', 'the new one is in force']);
      }
    } finally {
      release();
    }
  }

  /** One run of the current configuration; undefined where it could not begin, and the previous one goes on. */
  private async session(generation: number): Promise<RunSummary | undefined> {
    const { out } = this.options;
    this.stop = new AbortController();
    if (this.endedBy !== undefined) this.stop.abort();
    const extraSinks = [...(this.options.extraSinks ?? []), ...(this.notifier.wanted ? [this.teller()] : [])];
    let begun = false;
    try {
      return await execute(this.current, {
        ...this.options,
        ...(out !== undefined && { out: generation === 0 ? out : join(out, `reload-${generation}`) }),
        extraSinks,
        signal: this.stop.signal,
        kept: this.kept,
        underWay: handle => {
          begun = true;
          this.previous = undefined;
          this.handle = handle;
          for (const [part, what] of this.notes) handle.report(part, what);
          this.notes = [];
          this.notifier.ready('runs');
        },
      });
    } catch (error) {
      if (begun || this.previous === undefined || !(error instanceof InputError)) throw error;
      this.current = this.previous;
      this.previous = undefined;
      this.notes = [];
      this.tell('configuration', `the old one stays in force: ${error.message}`, true);
      return undefined;
    }
  }

  /** What an earlier process has learned; a file of no use is said to be that, and the start is a cold one. */
  private recall(): void {
    const found = this.file?.read();
    if (found === undefined) return;
    if ('state' in found) this.kept = found.state;
    else this.tell('state', `${this.file!.path} is not used, the start is a cold one: ${found.refused}`, true);
  }

  private keep(): void {
    if (this.file === undefined || this.handle === undefined) return;
    try {
      this.file.write(this.handle.keep());
      this.cannotKeep = false;
    } catch (error) {
      if (this.cannotKeep) return;
      this.cannotKeep = true;
      this.tell('state', `cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Signals, timers and the configuration's files, until the returned function is called. */
  private attend(): () => void {
    const end = (signal: 'SIGINT' | 'SIGTERM') => (): void => {
      this.endedBy ??= signal;
      this.notifier.stopping();
      this.stop.abort();
    };
    const handlers = { SIGINT: end('SIGINT'), SIGTERM: end('SIGTERM') };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, handlers[signal]);
    const reload = (): void => void this.reload('asked by SIGHUP');
    process.on('SIGHUP', reload);
    const keeping = setInterval(() => this.keep(), KEEP_PERIOD).unref();
    const period = this.notifier.wanted ? watchdogPeriod() : undefined;
    const watchdog = period === undefined ? undefined : setInterval(() => this.notifier.alive(), period).unref();
    const texts = new Map<string, string>();
    for (const file of this.options.configuration?.files ?? []) {
      texts.set(file, textOf(file));
      watchFile(file, { interval: LOOK_PERIOD, persistent: false }, () => {
        const text = textOf(file);
        // While an editor replaces a file it may be gone, or empty.
        if (text === '' || text === texts.get(file)) return;
        texts.set(file, text);
        void this.reload(`${file} has changed`);
      });
    }
    if (this.notifier.why !== undefined) this.tell('systemd', this.notifier.why, true);
    return () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, handlers[signal]);
      process.off('SIGHUP', reload);
      clearInterval(keeping);
      clearInterval(watchdog);
      for (const file of texts.keys()) unwatchFile(file);
    };
  }

  private async reload(why: string): Promise<void> {
    const { configuration } = this.options;
    if (configuration === undefined) {
      this.tell('configuration', `${why}: there is no file to read it from`);
      return;
    }
    if (this.loading || this.next !== undefined) return;
    this.loading = true;
    this.notifier.reloading();
    try {
      const next = await configuration.load();
      if (JSON.stringify(next.scenario) === JSON.stringify(this.current.scenario)) {
        this.tell('configuration', `${why}: it says the same as before`);
        this.notifier.ready('runs');
        return;
      }
      this.tell('configuration', why);
      this.next = next;
      this.stop.abort();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.tell('configuration', `the old one stays in force: ${error.message}`, true);
      this.notifier.ready('runs');
    } finally {
      this.loading = false;
    }
  }

  /** To the sinks, now or as soon as there are any; what must not be missed to standard error, too. */
  private tell(part: string, what: string, loudly = false): void {
    if (loudly) process.stderr.write(`escapement: live: ${part}: ${what}\n`);
    if (this.handle === undefined) this.notes.push([part, what]);
    else this.handle.report(part, what);
  }

  /** systemd's status line. */
  private teller(): Sink {
    return {
      round: ({ pipeline, verdicts, told, reading }: RoundRecord) => {
        const now = performance.now();
        if (now - this.statusAt < STATUS_PERIOD) return;
        this.statusAt = now;
        const used = verdicts.filter(verdict => verdict.used).length;
        const offset = formatTime(told.time - reading.wall, true);
        const most = told.maxError === undefined ? 'nothing is known yet' : `at most ± ${formatTime(told.maxError)}`;
        this.notifier.status(`${pipeline}: offset ${offset}, ${most}, ${used} of ${verdicts.length} servers used`);
      },
    };
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
