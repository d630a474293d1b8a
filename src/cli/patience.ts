/** How often it is said that something takes long, milliseconds. */
const SIGN_OF_LIFE = 5000;

/** Says on standard error, while something takes longer than a few seconds, that it does. */
export async function saying<T>(what: string, run: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  const alive = setInterval(() => {
    const waited = Math.round((performance.now() - begun) / 1000);
    process.stderr.write(`escapement: ${what} (${waited} s so far)\n`);
  }, SIGN_OF_LIFE);
  alive.unref();
  try {
    return await run();
  } finally {
    clearInterval(alive);
  }
}
