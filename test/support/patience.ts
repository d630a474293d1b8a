/**
 * Waits so many milliseconds, in turns: a machine that stood still for as long as that has then still time for what was
 * on its way, since timers run before the sockets are looked at.
 */
export async function patiently(milliseconds: number): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise(resolve => setTimeout(resolve, milliseconds / 10));
}
