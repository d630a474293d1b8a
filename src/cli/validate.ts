import { InputError } from '../core/errors.js';
import { openScenario } from './scenario-files.js';

/** `escapement validate`: every scenario's first problem; exit code 2 if there is any. */
export async function validate(
  files: readonly string[],
  options: { readonly json?: boolean; readonly plugin?: readonly string[] },
): Promise<void> {
  const results: { file: string; valid: boolean; problem?: string }[] = [];
  for (const file of files) {
    try {
      await openScenario(file, options.plugin);
      results.push({ file, valid: true });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      results.push({ file, valid: false, problem: error.message });
    }
  }
  if (options.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  else for (const { file, problem } of results) process.stdout.write(`${problem ?? `${file}: valid`}\n`);
  if (results.some(({ valid }) => !valid)) process.exitCode = 2;
}
