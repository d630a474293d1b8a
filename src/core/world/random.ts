import seedrandom from 'seedrandom';
import type { RandomStream } from '../contracts/index.js';

/**
 * Named streams. Each is Baagøe's Alea, seeded by the run's seed and the part's path; the first draws are thrown away
 * because they follow the seed's last character. (seedrandom's xor128 is linear across sibling seeds: not used.)
 */
export function randomStream(seed: string, path: string): RandomStream {
  const generator = seedrandom.alea(`${seed}/${path}`);
  for (let i = 0; i < 16; i++) generator.quick();
  return new AleaStream(generator);
}

/** Marsaglia and Tsang's ziggurat with 128 layers, with Doornik's correction (independent bits for layer and value). */
const LAYERS = 128;
const R = 3.442619855899;
const AREA = 9.91256303526217e-3;
const edge = new Float64Array(LAYERS + 1);
const density = new Float64Array(LAYERS + 1);
/** edge / 2²⁴ */
const scale = new Float64Array(LAYERS);
{
  edge[LAYERS] = 0;
  let f = Math.exp(-0.5 * R * R);
  edge[0] = AREA / f;
  edge[1] = R;
  for (let i = 2; i < LAYERS; i++) {
    const x = Math.sqrt(-2 * Math.log(AREA / edge[i - 1]! + f));
    edge[i] = x;
    f = Math.exp(-0.5 * x * x);
  }
  for (let i = 0; i <= LAYERS; i++) density[i] = Math.exp(-0.5 * edge[i]! * edge[i]!);
  for (let i = 0; i < LAYERS; i++) scale[i] = edge[i]! / 16777216;
}

class AleaStream implements RandomStream {
  private readonly next: () => number;

  constructor(private readonly generator: seedrandom.PRNG) {
    this.next = generator.quick;
  }

  uniform(): number {
    return this.generator.quick();
  }

  uint32(): number {
    return this.generator.int32() >>> 0;
  }

  exponential(): number {
    return -Math.log(1 - this.generator.quick());
  }

  normal(): number {
    for (;;) {
      const bits = (this.next() * 4294967296) | 0;
      const layer = bits & 127;
      // 24 bits and the sign, independent of the layer's seven.
      const signed = bits >> 7;
      const x = signed * scale[layer]!;
      const size = Math.abs(x);
      if (size < edge[layer + 1]!) return x;
      if (layer === 0) return this.tail(signed < 0);
      const y = density[layer]! + this.generator.quick() * (density[layer + 1]! - density[layer]!);
      if (y < Math.exp(-0.5 * x * x)) return x;
    }
  }

  private tail(negative: boolean): number {
    for (;;) {
      const x = Math.log(1 - this.generator.quick()) / R;
      const y = Math.log(1 - this.generator.quick());
      if (-2 * y >= x * x) return negative ? x - R : R - x;
    }
  }
}

/** A well-mixed 32-bit hash of two integers (Murmur3's finaliser), for draws that must not depend on who asks. */
export function mix(a: number, b: number): number {
  let h = Math.imul(a ^ Math.imul(b, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A standard normal value that is a function of two integers, by the same ziggurat as the streams'. */
export function hashedNormal(a: number, b: number): number {
  let bits = mix(a, b) | 0;
  for (let round = 0; ; round++) {
    const layer = bits & 127;
    const signed = bits >> 7;
    const x = signed * scale[layer]!;
    const size = Math.abs(x);
    if (size < edge[layer + 1]!) return x;
    // Once in eighty: further hashes stand for further draws.
    bits = mix(bits, b ^ 0x2545f491) | 0;
    if (layer === 0) return hashedTail(bits, b, signed < 0);
    const y = density[layer]! + unit(bits) * (density[layer + 1]! - density[layer]!);
    if (y < Math.exp(-0.5 * x * x)) return x;
    bits = further(bits, b ^ 0x5bd1e995, round) | 0;
  }
}

function hashedTail(a: number, b: number, negative: boolean): number {
  let bits = a;
  for (let round = 0; ; round++) {
    const x = Math.log(unit(bits)) / R;
    const y = Math.log(unit(mix(bits, ~b)));
    if (-2 * y >= x * x) return negative ? x - R : R - x;
    bits = further(bits, b, round);
  }
}

/**
 * The next of the hashes of hashes that stand for further draws. They come round in circles, short ones, too: that every
 * value of a circle is refused happens once in 10¹¹ draws, so after some rounds their number goes in.
 */
function further(bits: number, b: number, round: number): number {
  return mix(bits + (round >> 3), b);
}

/** The same ziggurat for the exponential law, with 256 layers: there is one side only, so 24 bits beside the layer's eight. */
const EXP_LAYERS = 256;
const EXP_R = 7.69711747013105;
const EXP_AREA = 3.949659822581572e-3;
const expEdge = new Float64Array(EXP_LAYERS + 1);
const expDensity = new Float64Array(EXP_LAYERS + 1);
/** expEdge / 2²⁴ */
const expScale = new Float64Array(EXP_LAYERS);
expEdge[0] = EXP_AREA / Math.exp(-EXP_R);
expEdge[1] = EXP_R;
for (let i = 2; i < EXP_LAYERS; i++) {
  expEdge[i] = -Math.log(EXP_AREA / expEdge[i - 1]! + Math.exp(-expEdge[i - 1]!));
}
for (let i = 0; i <= EXP_LAYERS; i++) expDensity[i] = Math.exp(-expEdge[i]!);
for (let i = 0; i < EXP_LAYERS; i++) expScale[i] = expEdge[i]! / 16777216;

/** An exponential value of mean 1 that is a function of two integers. */
export function hashedExponential(a: number, b: number): number {
  let bits = mix(a, b);
  for (let round = 0; ; round++) {
    const layer = bits & 255;
    const x = (bits >>> 8) * expScale[layer]!;
    if (x < expEdge[layer + 1]!) return x;
    // Once in ninety: a further hash stands for a further draw.
    bits = mix(bits, b ^ 0x2545f491);
    if (layer === 0) return EXP_R - Math.log(unit(bits));
    const y = expDensity[layer]! + unit(bits) * (expDensity[layer + 1]! - expDensity[layer]!);
    if (y < Math.exp(-x)) return x;
    bits = further(bits, b ^ 0x5bd1e995, round);
  }
}

/** Uniform on (0, 1) from 32 bits. */
function unit(bits: number): number {
  return ((bits >>> 0) + 0.5) / 4294967296;
}

/** Two independent standard normal values that are functions of two integers. */
export function hashedNormalPair(a: number, b: number): readonly [number, number] {
  return [hashedNormal(a, b), hashedNormal(a ^ 0x3c6ef372, b)];
}
