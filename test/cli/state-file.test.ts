import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { StateFile } from '../../src/cli/state-file.js';
import { scratch } from '../support/escapement.js';

const below = scratch();
let files = 0;
const fresh = (): StateFile => new StateFile(join(below, `${files++}.json`));

const NOW = 1.8e9;
const state = {
  written: NOW,
  parts: { 'filter pipelines/p/filter-0/a': { identity: '["popcorn",{}]', version: 1, state: { square: 1e-9 } } },
  pipelines: {},
};

describe('a state file', () => {
  test('gives back what was written, and leaves nothing beside it', () => {
    const file = fresh();
    expect(file.read(NOW)).toBeUndefined();
    file.write(state);
    file.write({ ...state, written: NOW + 1 });
    expect(file.read(NOW + 60)).toMatchObject({ state: { ...state, written: NOW + 1 } });
    expect(readdirSync(below).filter(name => name.endsWith('.tmp'))).toEqual([]);
  });

  test('that is torn at any byte is refused', () => {
    const file = fresh();
    file.write(state);
    const whole = readFileSync(file.path, 'utf8');
    // Without the line feed at the end it is whole.
    for (let length = 0; length < whole.length - 1; length += 7) {
      writeFileSync(file.path, whole.slice(0, length));
      expect(file.read(NOW), `${length} bytes`).toEqual({
        refused: expect.stringMatching(/^it is (torn: not all of it was written|no state file)$/),
      });
    }
  });

  test.each([
    ['of something else', () => '{"name": "package"}', 'it is no state file'],
    ['of no JSON', () => 'drift 12.5 0.02\n', 'it is no state file'],
    [
      'of another version',
      (text: string) => text.replace('"version":1', '"version":7'),
      'it is of version 7, expected 1',
    ],
    [
      'that somebody has edited',
      (text: string) => text.replace('1e-9', '1e-3'),
      'it was altered: its checksum is another',
    ],
  ])('%s is refused', (_what, change, refused) => {
    const file = fresh();
    file.write(state);
    writeFileSync(file.path, change(readFileSync(file.path, 'utf8')));
    expect(file.read(NOW)).toEqual({ refused });
  });

  test('that is too old, or from the future, is refused', () => {
    const file = fresh();
    file.write(state);
    expect(file.read(NOW + 31 * 86_400)).toEqual({ refused: 'it is 31 d old' });
    expect(file.read(NOW - 3600)).toEqual({ refused: 'it was written 1 h in the future' });
  });

  test('a place where nothing can be kept is found out before the run', () => {
    expect(() => new StateFile(join(fresh().path, '\0', 'state.json')).check('--state')).toThrow(
      /^--state: nothing can be kept in /,
    );
    const file = fresh();
    writeFileSync(file.path, '');
    expect(() => new StateFile(join(file.path, 'state.json')).check('--state')).toThrow(
      /^--state: nothing can be kept in /,
    );
  });
});
