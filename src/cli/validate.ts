import { InputError } from '../core/errors.js';
import { tryScenario } from '../core/experiment/run.js';
import { saying } from './patience.js';
import { openRecording } from './recordings.js';
import { openScenario } from './scenario-files.js';

/** `escapement validate`: every scenario's first problem, exit code 2 if there is any; warnings are no problem. */
export async function validate(
  files: readonly string[],
  options: { readonly json?: boolean; readonly plugin?: readonly string[] },
): Promise<void> {
  const results: { file: string; valid: boolean; problem?: string; warnings: readonly string[] }[] = [];
  for (const file of files) {
    try {
      const { scenario, warnings } = await openScenario(file, options.plugin);
      const { world } = scenario;
      const recording = world.kind === 'replayed' ? await openRecording(world, file, options.plugin) : undefined;
      const untried = await saying(`${file}: its models take long`, () =>
        tryScenario({ scenario, file, ...recording }),
      );
      results.push({ file, valid: true, warnings: [...warnings, ...untried] });
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      results.push({ file, valid: false, problem: error.message, warnings: [] });
    }
  }
  if (options.json) process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  else {
    for (const { file, problem, warnings } of results) {
      process.stdout.write(`${problem ?? `${file}: valid`}\n`);
      for (const warning of warnings) process.stdout.write(`  warning: ${warning}\n`);
    }
  }
  if (results.some(({ valid }) => !valid)) process.exitCode = 2;
}
