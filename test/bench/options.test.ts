import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('benches', () => {
  test.each([
    ['learned', ['--familes', 'a'], /^Unknown option '--familes' \(options here: --clocks, .*\)\n$/],
    ['learned', ['--clocks', '--json'], /^Option '--clocks' argument is ambiguous.* \(options here: .*\)\n$/],
    ['run', ['--jsno'], /^Unknown option '--jsno' \(options here: --json\)\n$/],
    ['client', ['again'], /^Unexpected argument 'again' \(options here: none\)\n$/],
    ['ablation', ['--family', 'constructor'], /^bench:ablation: --family: no family 'constructor'; there are .*\n$/],
    ['calibration', ['--family', 'constructor'], /^bench:calibration: --family: no family 'constructor'; .*\n$/],
  ])('%s refuses %j in one line', (bench, args, message) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [`bench/${bench}.js`, ...args], {
      cwd: root,
      encoding: 'utf8',
      timeout: 20_000,
    });
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
    expect(status).toBe(2);
  });
});
