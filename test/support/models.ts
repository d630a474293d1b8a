import { copyFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file of test/fixtures/models. */
export const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/models/${name}`, import.meta.url));

/** A copy of a fixture's model and card in a folder of its own, changed. Returns the card's path. */
export function changed(
  name: string,
  card: (card: Record<string, unknown>) => void,
  model: (bytes: Buffer) => Buffer = bytes => bytes,
): string {
  const folder = mkdtempSync(join(tmpdir(), 'escapement-model-'));
  const beside = fixture(`${name}.onnx_data`);
  if (existsSync(beside)) copyFileSync(beside, join(folder, `${name}.onnx_data`));
  const parsed = JSON.parse(readFileSync(fixture(`${name}.json`), 'utf8'));
  card(parsed);
  writeFileSync(join(folder, `${name}.onnx`), model(readFileSync(fixture(`${name}.onnx`))));
  writeFileSync(join(folder, 'card.json'), JSON.stringify(parsed));
  return join(folder, 'card.json');
}
