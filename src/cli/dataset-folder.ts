import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../core/errors.js';
import { LAYOUT } from '../core/learned/residual-window.js';
import { DATA_FILES } from './dataset-files.js';
import { makeFolder, reasonOf, refuseFolders } from './scenario-files.js';

const MANIFEST = 'dataset.json';
const FILES = [MANIFEST, ...DATA_FILES];

/** How a manifest of ours begins, whatever the layout's number: a long one need not be read whole. */
const OURS = new RegExp(`^\\s*\\{\\s*"layout"\\s*:\\s*"${LAYOUT.replace(/\d+$/, '')}\\d`);

/** Folders that runs write in: mkdtemp adds six characters. */
const PART = 'dataset.part-';
const PARTS = new RegExp(`^${PART.replace('.', '\\.')}[A-Za-z0-9]{6}$`);

/**
 * Where a data set goes. A new set is written in a part of its own, below, and takes the earlier one's place when it is
 * whole: until then the earlier one stays. A folder that holds something other than a data set is left alone, and so is
 * whatever lies beside one. Every run's part has another name, so that two runs never write to the same files.
 */
export class DatasetFolder {
  private constructor(
    private readonly path: string,
    /** Where the new set's files are written. */
    readonly part: string,
  ) {}

  /** Makes the folder, takes away what interrupted runs have left there, and makes a part. */
  static open(path: string): DatasetFolder {
    try {
      const held = existsSync(path) ? readdirSync(path, { withFileTypes: true }) : [];
      const left = held.filter(entry => entry.isDirectory() && PARTS.test(entry.name)).map(({ name }) => name);
      const whole = held.some(({ name }) => name === MANIFEST);
      // Killed while its files took their places, a run leaves some of them without a manifest, which is in its part.
      const torn = !whole && left.some(name => isOurs(join(path, name, MANIFEST)));
      if (whole ? !isOurs(join(path, MANIFEST)) : !torn && held.length > left.length) {
        throw new InputError(`--out ${path}`, 'the folder holds something other than a data set; it is left alone');
      }
      refuseFolders(path, FILES);
      for (const name of left) refuseOthers(join(path, name));
      if (torn) remove(path);
      makeFolder(path);
      for (const name of left) removePart(join(path, name));
      return new DatasetFolder(path, mkdtempSync(join(path, PART)));
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`--out ${path}`, `cannot be made: ${reasonOf(error)}`);
    }
  }

  /** Puts the files written in place of the earlier set's. Meanwhile there is no manifest: never one set's with another's files. */
  place(written: readonly string[], manifest: string): void {
    refuseFolders(this.path, FILES);
    writeFileSync(join(this.part, MANIFEST), manifest);
    rmSync(join(this.path, MANIFEST), { force: true });
    for (const name of DATA_FILES) {
      if (written.includes(name)) renameSync(join(this.part, name), join(this.path, name));
      else rmSync(join(this.path, name), { force: true });
    }
    renameSync(join(this.part, MANIFEST), join(this.path, MANIFEST));
    rmdirSync(this.part);
  }

  /** Takes away what was written. The error to tell: `cause`, unless another run has taken the part away before. */
  abandon(cause: unknown): unknown {
    if (!existsSync(this.part)) {
      return new InputError(`--out ${this.path}`, 'another run has begun in this folder: this one’s files are gone');
    }
    removePart(this.part);
    return cause;
  }
}

function isOurs(manifest: string): boolean {
  const head = Buffer.alloc(256);
  try {
    const file = openSync(manifest, 'r');
    try {
      return OURS.test(head.toString('utf8', 0, readSync(file, head)));
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}

/** Removes a set's files and nothing else. */
function remove(folder: string): void {
  for (const name of FILES) rmSync(join(folder, name), { force: true });
}

/** One clear error where a part holds what no run has left in it. */
function refuseOthers(part: string): void {
  const other = readdirSync(part).find(name => !FILES.includes(name));
  if (other !== undefined) {
    throw new InputError(`--out ${part}`, `expected what a killed run has left, found ${other}; nothing is changed`);
  }
  refuseFolders(part, FILES);
}

function removePart(part: string): void {
  remove(part);
  rmdirSync(part);
}
