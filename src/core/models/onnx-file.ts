/** What has to be known of a model's file before a session is made of it; of its protobuf messages only that is read. */

/**
 * The version of ONNX's own operators: ModelProto.opset_import (field 8), of which each has a domain (1) and a version (2).
 * Undefined where the file is cut off or says nothing: that is for the session to refuse.
 */
export function opsetOf(bytes: Uint8Array): number | undefined {
  for (const [field, message] of fieldsOf(bytes)) {
    if (field !== 8 || typeof message === 'number') continue;
    const entry = new Map(fieldsOf(message));
    const domain = textOf(entry.get(1));
    const version = entry.get(2);
    if ((domain === '' || domain === 'ai.onnx') && typeof version === 'number') return version;
  }
  return undefined;
}

/** Where tensors stand in a model, by message and field (onnx.proto): in graphs, and in attributes of their nodes. */
const WITHIN: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  model: { 7: 'graph', 25: 'function' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  function: { 7: 'node' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' },
  sparse: { 1: 'tensor', 2: 'tensor' },
};

/**
 * The files in which a model keeps weights, by the names that it gives them, relative to its own: every model of over 2 GB
 * does, because no protobuf message is longer.
 */
export function dataFilesOf(bytes: Uint8Array): readonly string[] {
  const files = new Set<string>();
  const visit = (message: Uint8Array, kind: string): void => {
    for (const [field, value] of fieldsOf(message)) {
      if (typeof value === 'number') continue;
      // TensorProto.external_data: pairs of a key (1) and a value (2).
      if (kind === 'tensor' && field === 13) {
        const entry = new Map(fieldsOf(value));
        if (textOf(entry.get(1)) === 'location') files.add(textOf(entry.get(2)));
      }
      const inner = WITHIN[kind]?.[field];
      if (inner !== undefined) visit(value, inner);
    }
  };
  visit(bytes, 'model');
  return [...files];
}

function textOf(value: number | Uint8Array | undefined): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString() : '';
}

/** The fields of a protobuf message, nested ones unread. */
function* fieldsOf(bytes: Uint8Array): Generator<[field: number, value: number | Uint8Array]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; at < bytes.length; factor *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * factor;
      if (byte < 128) break;
    }
    return value;
  };
  while (at < bytes.length) {
    const key = varint();
    const field = Math.floor(key / 8);
    const wire = key % 8;
    if (wire === 0) yield [field, varint()];
    else if (wire === 2) {
      const length = varint();
      yield [field, bytes.subarray(at, at + length)];
      at += length;
    } else if (wire === 1 || wire === 5) at += wire === 1 ? 8 : 4;
    else return;
  }
}
