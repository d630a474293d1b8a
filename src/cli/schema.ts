import { scenarioJsonSchema } from '../core/experiment/json-schema.js';
import { scenarioReference } from '../core/experiment/reference.js';
import { loadAllPlugins } from '../plugins/index.js';
import { loadExternalPlugins } from './external-plugins.js';
import { writeOutput } from './scenario-files.js';

/** `escapement schema`: the JSON Schema of scenarios (or their reference page), with every plugin and its options. */
export async function schema(options: {
  readonly out?: string;
  readonly markdown?: boolean;
  readonly plugin?: readonly string[];
}): Promise<void> {
  await loadAllPlugins();
  await loadExternalPlugins(options.plugin ?? []);
  const text = options.markdown ? scenarioReference() : `${JSON.stringify(scenarioJsonSchema(), null, 2)}\n`;
  if (options.out === undefined) process.stdout.write(text);
  else writeOutput(options.out, text);
}
