import { InputError } from '../errors.js';

/** A symmetric key, as a file of keys has it. */
export interface KeyLine {
  readonly id: number;
  /** As it is written, e.g. SHA256, AES128. */
  readonly type: string;
  readonly secret: Uint8Array;
  /** Where it stands, for messages. */
  readonly place: string;
}

/** ntpd takes a longer secret than this for hexadecimal. */
const LONGEST_ASCII = 20;
const LARGEST_ID = 0xffffffff;

/**
 * The key of a number, from the text of a file of keys as chrony's `keyfile` and ntpd's `keys` have it: lines of
 * `ID TYPE SECRET`, without the type MD5 is meant. The secret is `ASCII:…`, `HEX:…`, or bare: then it is ASCII up to 20
 * characters, and hexadecimal if it is longer and can be (ntpd's rule). What ntpd has after the secret, addresses, is for
 * servers.
 */
export function findKey(text: string, id: number, file: string): KeyLine {
  const found: KeyLine[] = [];
  const known: number[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const words = line
      .replace(/^\s*[!;#%].*|\s#.*/, '')
      .trim()
      .split(/\s+/);
    if (words[0] === '') continue;
    const place = `${file} line ${index + 1}`;
    // Secrets are never shown.
    const shape = 'expected ID [TYPE] SECRET, as in `10 SHA256 HEX:…`';
    if (!/^\d+$/.test(words[0]!) || words.length < 2 || words.length > 4) throw new InputError(place, shape);
    const number = Number(words[0]);
    if (number < 1 || number > LARGEST_ID) {
      throw new InputError(place, `expected a key number from 1 to ${LARGEST_ID}, found ${words[0]}`);
    }
    known.push(number);
    if (number !== id) continue;
    const [type, secret] = words.length === 2 ? ['MD5', words[1]!] : [words[1]!, words[2]!];
    found.push({ id, type, secret: secretOf(secret, place), place });
  }
  if (found.length > 1) throw new InputError(found[1]!.place, `key ${id} stands twice in the file`);
  const [key] = found;
  if (key === undefined) {
    throw new InputError(file, `expected a key ${id}, found ${known.length === 0 ? 'none at all' : known.join(', ')}`);
  }
  return key;
}

function secretOf(text: string, place: string): Uint8Array {
  const hex = (digits: string): Uint8Array => {
    if (!/^(?:[\da-f]{2})+$/i.test(digits))
      throw new InputError(place, 'expected pairs of hexadecimal digits after HEX:');
    return Uint8Array.from(digits.match(/../g)!, pair => Number.parseInt(pair, 16));
  };
  if (text.startsWith('HEX:')) return hex(text.slice(4));
  const bare = !text.startsWith('ASCII:');
  if (bare && text.length > LONGEST_ASCII && /^(?:[\da-f]{2})+$/i.test(text)) return hex(text);
  const secret = bare ? text : text.slice('ASCII:'.length);
  if (!/^[\x21-\x7e]+$/.test(secret)) throw new InputError(place, 'expected a secret of printable ASCII characters');
  return Uint8Array.from(secret, character => character.charCodeAt(0));
}
