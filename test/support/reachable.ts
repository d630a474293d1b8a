/** Methods that answer a question and change nothing: what a curious plugin would call first. */
const ASKING = /^(now|read|get|time|values|last|toJSON|valueOf)$/;

/**
 * Everything that can be reached from some objects: through own properties by name and symbol, private or not to
 * TypeScript, through prototypes and their getters, collections, buffers, and the answers of methods that only ask.
 */
export function reachable(roots: Iterable<unknown>): { readonly numbers: Set<number>; readonly objects: Set<object> } {
  const numbers = new Set<number>();
  const objects = new Set<object>();
  const open: unknown[] = [...roots];
  const visit = (value: unknown): void => {
    open.push(value);
  };
  const attempt = (work: () => unknown): void => {
    try {
      visit(work());
    } catch {
      // A getter of a prototype asked without its object, or a method that wants arguments: nothing learnt.
    }
  };
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === 'number') {
      if (Number.isFinite(value)) numbers.add(value);
      continue;
    }
    if (typeof value === 'bigint') {
      numbers.add(Number(value));
      continue;
    }
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || objects.has(value)) continue;
    if (BORING.has(value)) continue;
    objects.add(value);
    if (value instanceof Map) for (const [key, inner] of value) open.push(key, inner);
    if (value instanceof Set) for (const inner of value) visit(inner);
    if (ArrayBuffer.isView(value)) {
      if (!(value instanceof DataView)) for (const inner of value as unknown as Iterable<unknown>) visit(inner);
      continue;
    }
    for (
      let holder: object | null = value;
      holder !== null && !BORING.has(holder);
      holder = Object.getPrototypeOf(holder)
    ) {
      for (const key of Reflect.ownKeys(holder)) {
        const { get, value: held } = Object.getOwnPropertyDescriptor(holder, key)!;
        if (get !== undefined) attempt(() => get.call(value));
        else visit(held);
        if (typeof held === 'function' && typeof key === 'string' && ASKING.test(key) && held.length === 0) {
          attempt(() => held.call(value));
        }
      }
    }
  }
  return { numbers, objects };
}

/** The language's own objects: reachable from anywhere, and holding nothing of ours. */
const BORING: ReadonlySet<unknown> = new Set<unknown>([
  globalThis,
  ...Object.getOwnPropertyNames(globalThis).flatMap(name => {
    if (['localStorage', 'sessionStorage'].includes(name)) return [];
    const value = (globalThis as unknown as Record<string, unknown>)[name];
    return typeof value === 'function' ? [value, value.prototype] : [value];
  }),
  Object.getPrototypeOf(Uint8Array.prototype),
  Object.getPrototypeOf([][Symbol.iterator]()),
]);
