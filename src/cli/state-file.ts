import { createHash } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { version } from '../../package.json';
import { InputError } from '../core/errors.js';
import type { KeptState } from '../core/experiment/keeping.js';
import { formatDuration } from '../core/quantity.js';
import { reasonOf } from './scenario-files.js';

const FORMAT = 'escapement-state';
const VERSION = 1;

/** What was known longer ago than this is hardly better than nothing, seconds. */
const OLDEST = 30 * 86_400;
/** A state from the future is none: the wall clock was wrong then, or is now. Seconds. */
const FUTURE = 600;

interface Envelope {
  readonly format: string;
  readonly version: number;
  readonly escapement: string;
  /** For people. */
  readonly written: string;
  /** Of `state` as JSON: a torn or altered file is not believed. */
  readonly sha256: string;
  readonly state: KeptState;
}

/** What a state file holds; or why it is of no use, for people; undefined where there is no such file. */
export type Found = { readonly state: KeptState } | { readonly refused: string } | undefined;

/** Where a service keeps what it has learned. Whole or not there at all: written beside, synced, and renamed. */
export class StateFile {
  constructor(readonly path: string) {}

  read(now = Date.now() / 1000): Found {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      return { refused: `cannot be read: ${reasonOf(error)}` };
    }
    const found = envelopeIn(text);
    if (typeof found === 'string') return { refused: found };
    const age = now - found.state.written;
    if (age > OLDEST) return { refused: `it is ${formatDuration(age)} old` };
    if (age < -FUTURE) return { refused: `it was written ${formatDuration(-age)} in the future` };
    return { state: found.state };
  }

  write(state: KeptState): void {
    const body = JSON.stringify(state);
    const head = {
      format: FORMAT,
      version: VERSION,
      escapement: version,
      written: new Date(state.written * 1000).toISOString(),
      sha256: digest(body),
    };
    const text = `${JSON.stringify(head).slice(0, -1)},"state":${body}}\n`;
    const beside = `${this.path}.${process.pid}.tmp`;
    try {
      writeWhole(beside, text);
      renameSync(beside, this.path);
      syncFolder(dirname(this.path));
    } catch (error) {
      rmSync(beside, { force: true });
      throw error;
    }
  }

  /** Finds out at the start, not after the first hours, whether anything can be kept there. */
  check(place: string): void {
    try {
      if (!existsSync(dirname(this.path))) mkdirSync(dirname(this.path));
      const beside = `${this.path}.${process.pid}.tmp`;
      writeWhole(beside, '');
      rmSync(beside);
    } catch (error) {
      throw new InputError(place, `nothing can be kept in ${this.path}: ${reasonOf(error)}`);
    }
  }
}

/** The envelope in a text, or why it is none. */
function envelopeIn(text: string): Envelope | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text.startsWith(`{"format":"${FORMAT}"`) ? 'it is torn: not all of it was written' : 'it is no state file';
  }
  if (typeof value !== 'object' || value === null) return 'it is no state file';
  const found = value as Partial<Envelope>;
  if (found.format !== FORMAT) return 'it is no state file';
  if (found.version !== VERSION) return `it is of version ${found.version}, expected ${VERSION}`;
  const { state } = found;
  if (state === undefined || digest(JSON.stringify(state)) !== found.sha256)
    return 'it was altered: its checksum is another';
  return found as Envelope;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function writeWhole(path: string, text: string): void {
  const file = openSync(path, 'w', 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** So that the new name, too, survives a loss of power; not every system lets a folder be opened. */
function syncFolder(path: string): void {
  try {
    const folder = openSync(path, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  } catch {
    // The file itself is synced.
  }
}
