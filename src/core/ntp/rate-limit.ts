/** How often one client is answered. */
export interface RateLimits {
  /** Mean interval between questions that are answered, seconds. */
  readonly every: number;
  /** Questions that may come at once after a silence. */
  readonly burst: number;
  /**
   * Of the questions beyond the limit one in 2^leak is answered all the same: whoever asks in another's name cannot
   * silence him.
   */
  readonly leak: number;
  /** Clients that are remembered: those that have been silent for longest are forgotten first. */
  readonly clients: number;
}

/** What to do with a question: answer it, say that it comes too soon, or say nothing. */
export type Permission = 'answer' | 'kiss' | 'silence';

interface Bucket {
  tokens: number;
  at: number;
  kissed: number;
}

/**
 * A bucket of `burst` tokens for each client, which fills by one `every` so often (as chronyd's `ratelimit`). A client
 * beyond it is told so once an interval (RFC 5905 section 7.4, RATE), and else hears nothing. Memory is bounded: so many
 * buckets and no more, whoever asks.
 */
export class RateLimiter {
  private readonly buckets = new Map<string, Bucket>();

  constructor(
    private readonly limits: RateLimits,
    /** Uniform on [0, 1). */
    private readonly uniform: () => number,
  ) {}

  get size(): number {
    return this.buckets.size;
  }

  /** `now`: seconds on a clock that is never stepped. */
  ask(address: string, now: number): Permission {
    const { every, burst, leak, clients } = this.limits;
    const key = clientOf(address);
    const known = this.buckets.get(key);
    // Taken out and put in again: a map keeps the order of insertion, so its first entry is the most silent client.
    if (known !== undefined) this.buckets.delete(key);
    else if (this.buckets.size >= clients) this.buckets.delete(this.buckets.keys().next().value!);
    const bucket = known ?? { tokens: burst, at: now, kissed: Number.NEGATIVE_INFINITY };
    this.buckets.set(key, bucket);
    bucket.tokens = Math.min(burst, bucket.tokens + Math.max(0, now - bucket.at) / every);
    bucket.at = now;
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 'answer';
    }
    if (leak > 0 && this.uniform() < 2 ** -leak) return 'answer';
    if (now - bucket.kissed < every) return 'silence';
    bucket.kissed = now;
    return 'kiss';
  }
}

/** Who counts as one client: an IPv4 address, and of IPv6 a network of 64 bits, which one machine may have to itself. */
export function clientOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1]!;
  if (!address.includes(':')) return address;
  const [bare] = address.split('%') as [string];
  const [head = '', tail] = bare.split('::') as [string, string?];
  const groups = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing =
    tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - groups.length - after.length) }, () => '0');
  const network = [...groups, ...missing, ...after].slice(0, 4);
  return `${network.map(group => Number.parseInt(group, 16).toString(16)).join(':')}::/64`;
}
