// What the benches' options may be: one clear line and exit code 2 for anything else.
import { parseArgs } from 'node:util';

/** What `parseArgs` gives; without a configuration, of a bench that has no options. */
export function parsed(config = {}) {
  try {
    return parseArgs(config);
  } catch (error) {
    if (!error.code?.startsWith('ERR_PARSE_ARGS_')) throw error;
    const known = Object.keys(config.options ?? {}).map(name => `--${name}`);
    // Node's first sentence names the option; the others tell how a positional argument may begin with a dash.
    console.error(`${error.message.split(/\. |\n/)[0]} (options here: ${known.join(', ') || 'none'})`);
    process.exit(2);
  }
}

/** A whole number from `least` on. */
export function count(option, text, least = 1) {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  refuse(option, `a whole number from ${least}`, text);
}

/** A number over 0. */
export function positive(option, text) {
  const value = Number(text);
  if (value > 0 && value < Number.POSITIVE_INFINITY) return value;
  refuse(option, 'a number over 0', text);
}

function refuse(option, expected, found) {
  console.error(`${option}: expected ${expected}, found '${found}'`);
  process.exit(2);
}
