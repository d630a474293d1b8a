// What the benches' options may be: one clear line and exit code 2 for anything else.

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
