import { type Observable, Subject, type Subscription } from 'rxjs';
import type {
  ClockReading,
  Datagram,
  DatagramSocket,
  Drop,
  DropCounts,
  Endpoint,
  Exchange,
  Passage,
  Poller,
  PollState,
  RandomStream,
  SourceEvent,
  Task,
  World,
} from '../contracts/index.js';
import { DROPS, measure } from '../contracts/index.js';
import { guarded, InputError } from '../errors.js';
import { formatTime } from '../quantity.js';
import type { CommonPace } from './common-pace.js';
import { type Credentials, NO_CREDENTIALS, type SealedQuestion } from './credentials.js';
import type { TurnJitter } from './jitter.js';
import {
  asciiOf,
  decodePacket,
  encodePacket,
  fromTimestamp,
  isSet,
  LEAP_UNSYNCHRONISED,
  MODE_CLIENT,
  MODE_SERVER,
  NOT_SET,
  type NtpPacket,
  type NtpTimestamp,
  sameTimestamp,
} from './packet.js';

export interface AssociationOptions {
  /** Seconds to wait for an answer. */
  readonly timeout: number;
  /** Answers whose root distance reaches this are unusable (RFC 5905's MAXDIST), seconds. */
  readonly maxDistance: number;
  /** How much later than its turn a question comes. Left out: never. */
  readonly jitter?: TurnJitter;
  /** Keeps the turns of several servers together. Left out: each has its own. */
  readonly pace?: CommonPace;
  /** Told of replies that were dropped because they did not prove what they had to: the first, the tenth and so on. */
  readonly report?: (what: string) => void;
}

const NONE = Object.freeze(Object.fromEntries(DROPS.map(reason => [reason, 0]))) as Readonly<Record<Drop, number>>;
const noDrops = (): Record<Drop, number> => ({ ...NONE });

/** For people. */
const DROPPED: Readonly<Record<Drop, string>> = {
  malformed: 'malformed',
  wrongAddress: 'from another address',
  wrongMode: 'of a wrong mode',
  wrongOrigin: 'late, replayed or forged',
  unauthenticated: 'unauthenticated',
  forged: 'with a wrong authenticator',
};

/** What of an association outlives its process. Seconds; `due` on the counter. */
export interface AssociationState {
  readonly sent: number;
  readonly interval: number | null;
  readonly floor: number;
  readonly due: number;
}

/** The highest stratum that is synchronised (RFC 5905's MAXSTRAT is 16, "unsynchronised"). */
const MAX_STRATUM = 15;
/** Stratum 0 without such a reference identifier is not a kiss: chronyd says so while it is unsynchronised. */
const KISS_CODE = /^[A-Z\d]{3,4}$/i;
/** A RATE kiss at most doubles the interval up to this many seconds (2¹⁷, RFC 5905's MAXPOLL). */
const SLOWEST_POLL = 131_072;
/** A server that has answered is left for its name's next address after so many questions in a row without an answer … */
const PATIENCE = 3;
/** … or so many without a usable one. One that has never answered is left at once. */
const FORBEARANCE = 8;
/** A turn that was missed by more than this, or by half of the interval, is not made up for, seconds. */
const HICCUP = 1;

/**
 * A client association, RFC 5905 sections 8, 9.1 and 7.4: one question open at a time, each from a new socket with a
 * random port. The transmit timestamp on the wire is a random nonce and T1 stays here, so the origin check is exact and
 * nobody learns our clock.
 */
export class Association {
  readonly events: Observable<SourceEvent>;
  private readonly counts = noDrops();
  private readonly subject = new Subject<SourceEvent>();
  private readonly random: RandomStream;
  private poll: Task | undefined;
  private repeat: Task | undefined;
  private question: Question | undefined;
  private stopped = true;
  private lookingUp = false;
  private addresses: readonly Endpoint[] = [];
  private addressIndex = 0;
  /** Of the address in use: whether it has ever answered, and since when it has not given a usable answer. */
  private heard = false;
  private failed = 0;
  /** Addresses that do not want to be asked. */
  private readonly denied = new Set<string>();

  private sent = 0;
  private missed = 0;
  private reach = 0;
  private interval: number | undefined;
  private floor = 0;
  private last: PollState['last'];
  private nextDue = 0;
  /** Not before this may be asked again, for a server that has asked us to be slow. */
  private notBefore = Number.NEGATIVE_INFINITY;

  constructor(
    /** The server's name, as the events carry it. */
    readonly source: string,
    /** Unique in the run: names the random streams of this association. */
    private readonly path: string,
    private readonly target: { readonly host: string; readonly port: number },
    private readonly world: World,
    private readonly poller: Poller,
    private readonly options: AssociationOptions,
    private readonly credentials: Credentials = NO_CREDENTIALS,
  ) {
    this.events = this.subject.asObservable();
    this.random = world.random(`${path}/nonce`);
  }

  /** Datagrams that were dropped without ending a question, by reason. */
  get drops(): DropCounts {
    return this.counts;
  }

  get outstanding(): boolean {
    return this.question !== undefined || this.lookingUp;
  }

  /** Asks for the first time when the local counter reads `at`. Associations started together ask together. */
  start(at = this.world.scheduler.time): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.nextDue = Math.max(at, this.notBefore);
    this.turn(this.nextDue);
  }

  snapshot(): AssociationState {
    const { sent, interval = null, floor, nextDue } = this;
    return { sent, interval, floor, due: nextDue };
  }

  /**
   * Goes on after `elapsed` seconds. Who has not missed a turn since is not at the start, and has no burst; a server that
   * has asked us to be slow (RATE) is held to have until we have been silent for as long as it wanted.
   */
  restore({ sent, interval, floor, due }: AssociationState, { continues, elapsed }: Passage): void {
    if (!continues) return;
    if (interval !== null && elapsed < interval) this.sent = sent;
    if (elapsed >= floor) return;
    this.floor = floor;
    this.notBefore = due;
  }

  stop(): void {
    this.stopped = true;
    this.poll?.cancel();
    this.repeat?.cancel();
    this.question?.close();
    this.question = undefined;
  }

  /** Asks at once instead of at the next turn, unless the server has asked us to be slow or to leave it alone. */
  askNow(): void {
    if (this.stopped || this.poll === undefined || this.floor > 0) return;
    this.poll.cancel();
    this.repeat?.cancel();
    this.nextDue = this.world.scheduler.time;
    this.poll = this.world.scheduler.at(this.nextDue, () => this.ask());
  }

  private ask(): void {
    const wish = this.wish();
    const { pace } = this.options;
    if (pace === undefined) this.schedule(wish);
    else {
      // A silent server has no say in how often the others are asked, and is asked no more often than it should be.
      const silent = this.missed >= PATIENCE;
      pace.propose(this.nextDue, silent ? Number.POSITIVE_INFINITY : wish, (interval, leads) => {
        const agreed = Number.isFinite(interval) ? interval : wish;
        if (!this.stopped) this.schedule(silent ? Math.max(wish, agreed) : agreed, agreed, leads);
      });
    }
    this.inquire();
  }

  private inquire(): void {
    // One question open at a time: an interval shorter than the time-out waits for the next turn.
    if (this.outstanding) return;
    this.sent += 1;
    this.reach = (this.reach << 1) & 0xff;
    const endpoint = this.addresses[this.addressIndex % Math.max(1, this.addresses.length)];
    if (endpoint === undefined) this.lookUp();
    else this.send(endpoint);
  }

  private send(endpoint: Endpoint): void {
    const nonce: NtpTimestamp = { seconds: this.random.uint32(), fraction: this.random.uint32() };
    const sealed = this.credentials.seal(encodePacket(requestPacket(nonce)));
    if (sealed === undefined) {
      this.lookUp();
      return;
    }
    const socket = this.world.network.open(this.path);
    const question = new Question(nonce, sealed, endpoint, socket);
    this.question = question;
    question.reply = socket.received.subscribe({
      next: datagram => this.receive(question, datagram),
      error: (error: unknown) => this.unheard(question, error instanceof Error ? error.message : String(error)),
    });
    question.sent = socket.send(sealed.bytes, endpoint);
    question.timeout = this.world.scheduler.at(this.world.scheduler.time + this.options.timeout, () =>
      this.unheard(question, 'timeout'),
    );
  }

  private unheard(question: Question, reason: string): void {
    this.failed += 1;
    const { spent, complaint } = this.credentials;
    if (spent || !this.heard || this.failed >= PATIENCE) this.turnAway();
    if (spent) this.addresses = [];
    const details = [...(complaint === undefined ? [] : [complaint]), ...question.dropped()];
    this.fail(question, details.length === 0 ? reason : `${reason} (${details.join(', ')})`);
    this.tryAgain();
  }

  /** Another address may answer: it is tried next time, and after the last the name is looked up again. */
  private turnAway(): void {
    this.heard = false;
    this.failed = 0;
    this.addressIndex += 1;
    if (this.addressIndex % this.addresses.length === 0) this.addresses = [];
  }

  /** Where the poller wants a silent server asked again before the next turn. */
  private tryAgain(): void {
    const { scheduler } = this.world;
    const wait = this.poller.retry?.(this.state());
    if (wait === undefined) return;
    const due = scheduler.time + Math.max(wait, this.floor);
    if (due < this.nextDue) this.repeat = scheduler.at(due, () => this.inquire());
  }

  private wish(): number {
    const interval = guarded(`${this.path}, poller`, () => this.poller.next(this.state()));
    if (!(interval > 0 && interval < Number.POSITIVE_INFINITY)) {
      throw new InputError(
        this.path,
        `the poller gave an interval of ${interval} s; expected a positive, finite number of seconds`,
      );
    }
    return Math.max(this.floor, interval);
  }

  private schedule(wanted: number, common = wanted, leads = true): void {
    const { pace } = this.options;
    this.interval = Math.max(this.floor, wanted);
    const late = this.options.jitter?.most(this.interval) ?? 0;
    const step = this.interval + late;
    this.nextDue += step;
    // After a suspend or a step the turns that were missed are not made up for; those after them keep their beat, which is
    // that of the other servers.
    const soonest = this.world.scheduler.time + this.interval - Math.min(HICCUP, this.interval / 2);
    if (this.nextDue < soonest) this.nextDue += Math.ceil((soonest - this.nextDue) / step) * step;
    if (leads && this.interval === common) pace?.follow(this.nextDue, step);
    else if (pace !== undefined) this.nextDue = pace.align(this.nextDue);
    this.turn(this.nextDue + (this.options.jitter?.at(this.nextDue, late) ?? 0));
  }

  private turn(due: number): void {
    this.poll?.cancel();
    this.poll = this.world.scheduler.at(due, () => this.ask());
  }

  private state(): PollState {
    const { sent, missed, reach, interval, floor, last } = this;
    return { sent, missed, reach, interval, floor, last };
  }

  /**
   * Resolves the name before the exchange, never between T1 and T4, and sends as soon as there is an address. The next
   * question is due when it would have been: servers that are asked in one round stay in it.
   */
  private lookUp(): void {
    const asked = this.world.clock.read();
    const { host, port } = this.target;
    this.lookingUp = true;
    const failed = (error: unknown) => {
      this.lookingUp = false;
      if (this.stopped) return;
      this.missed += 1;
      const reason = error instanceof Error ? error.message : String(error);
      this.emit({
        type: 'failure',
        failure: { source: this.source, sent: asked, settled: this.world.clock.read(), reason },
      });
    };
    const found = (endpoints: readonly Endpoint[]): void => {
      this.lookingUp = false;
      if (this.stopped) return;
      const welcome = endpoints.filter(({ address }) => !this.denied.has(address));
      if (welcome.length === 0) {
        failed(new Error(endpoints.length === 0 ? `no address for ${host}` : `${host} does not want to be asked`));
        return;
      }
      this.addresses = welcome;
      this.addressIndex = 0;
      this.heard = false;
      this.failed = 0;
      this.send(welcome[0]!);
    };
    this.world.scheduler.settle(
      this.credentials.find?.() ?? this.world.network.resolve(host, port),
      endpoints => {
        const after = this.world.network.lookUpTime?.(host) ?? 0;
        if (after === 0) found(endpoints);
        else this.world.scheduler.at(this.world.scheduler.time + after, () => found(endpoints));
      },
      failed,
    );
  }

  private receive(question: Question, datagram: Datagram): void {
    if (this.question !== question) return;
    const packet = decodePacket(datagram.bytes);
    const dropped = distrust(question, datagram, packet);
    if (packet === undefined || dropped !== undefined) {
      this.drop(question, dropped ?? 'malformed');
      return;
    }
    // From here on the packet is the server's answer to this question, kiss or not.
    if (packet.stratum === 0) {
      const code = asciiOf(packet.referenceId);
      if (KISS_CODE.test(code)) {
        this.kiss(question, code);
        return;
      }
    }
    const problem = unusable(packet);
    if (problem !== undefined) {
      this.useless(question, problem);
      return;
    }
    const { epoch } = this.world;
    const { counter } = datagram.at;
    const exchange: Exchange = {
      source: this.source,
      sent: question.sent!,
      arrived: datagram.at,
      receive: fromTimestamp(packet.receive, epoch, counter),
      transmit: fromTimestamp(packet.transmit, epoch, counter),
      leap: packet.leap,
      stratum: packet.stratum,
      precision: 2 ** packet.precision,
      rootDelay: packet.rootDelay,
      rootDispersion: packet.rootDispersion,
      referenceId: packet.referenceId,
    };
    const { offset, delay, rootDistance } = measure(exchange, 'counter');
    const { maxDistance } = this.options;
    if (!(rootDistance < maxDistance)) {
      this.useless(question, `root distance ${formatTime(rootDistance)} over the limit of ${formatTime(maxDistance)}`);
      return;
    }
    this.close(question);
    this.reach |= 1;
    this.missed = 0;
    this.heard = true;
    this.failed = 0;
    this.last = { offset, delay, at: counter };
    const { drops } = question;
    this.emit({ type: 'exchange', exchange, ...(drops && { dropped: drops }) });
  }

  /** RFC 5905 section 7.4: RATE slows down, DENY and RSTR end the association; others are for information. */
  private kiss(question: Question, code: string): void {
    if (code === 'RATE') {
      this.floor = Math.min(SLOWEST_POLL, Math.max(this.floor, this.interval ?? 0) * 2);
      const { pace, jitter } = this.options;
      const soonest = this.world.scheduler.time + this.floor;
      this.nextDue = pace?.align(soonest) ?? soonest;
      this.turn(this.nextDue + (jitter?.at(this.nextDue, jitter.most(this.floor)) ?? 0));
    } else if (code === 'DENY' || code === 'RSTR') {
      this.leave(question.to);
    }
    this.fail(question, `kiss ${code}`);
  }

  /** Never asks this address again; where the name has no other, nobody. */
  private leave({ address }: Endpoint): void {
    this.denied.add(address);
    this.addresses = this.addresses.filter(one => !this.denied.has(one.address));
    this.addressIndex = 0;
    this.heard = false;
    this.failed = 0;
    if (this.addresses.length > 0) return;
    this.poll?.cancel();
    this.poll = undefined;
  }

  /** The server answers, but cannot be used: after a while another address of its name may be of more use. */
  private useless(question: Question, reason: string): void {
    this.failed += 1;
    this.heard = true;
    if (this.failed >= FORBEARANCE) this.turnAway();
    this.fail(question, reason);
  }

  private drop(question: Question, reason: Drop): void {
    question.drops ??= noDrops();
    question.drops[reason] += 1;
    this.counts[reason] += 1;
    const count = this.counts[reason];
    if (reason !== 'unauthenticated' && reason !== 'forged') return;
    if (/^10*$/.test(String(count))) {
      this.options.report?.(`${this.source}: dropped a reply ${DROPPED[reason]} (${count} so far)`);
    }
  }

  private fail(question: Question, reason: string): void {
    this.close(question);
    this.missed += 1;
    const { drops } = question;
    this.emit({
      type: 'failure',
      failure: { source: this.source, sent: question.sent!, settled: this.world.clock.read(), reason },
      ...(drops && { dropped: drops }),
    });
  }

  private close(question: Question): void {
    question.close();
    if (this.question === question) this.question = undefined;
  }

  private emit(event: SourceEvent): void {
    this.subject.next(event);
  }
}

class Question {
  sent: ClockReading | undefined;
  timeout: Task | undefined;
  reply: Subscription | undefined;
  /** Undefined: none. */
  drops: Record<Drop, number> | undefined;

  constructor(
    readonly nonce: NtpTimestamp,
    readonly sealed: SealedQuestion,
    readonly to: Endpoint,
    private readonly socket: DatagramSocket,
  ) {}

  /** What was dropped while it was open, for people. */
  dropped(): readonly string[] {
    const { drops } = this;
    if (drops === undefined) return [];
    return DROPS.filter(reason => drops[reason] > 0).map(reason => `dropped ${drops[reason]} ${DROPPED[reason]}`);
  }

  close(): void {
    this.timeout?.cancel();
    this.reply?.unsubscribe();
    this.socket.close();
  }
}

/** Why a datagram is no answer to the question; undefined where it is. */
function distrust(question: Question, { bytes, from }: Datagram, packet: NtpPacket | undefined): Drop | undefined {
  const { to, nonce, sealed } = question;
  if (from.address !== to.address || from.port !== to.port) return 'wrongAddress';
  if (packet === undefined) return 'malformed';
  if (packet.mode !== MODE_SERVER) return 'wrongMode';
  if (!sameTimestamp(packet.origin, nonce)) return 'wrongOrigin';
  return sealed.distrust(bytes, packet);
}

/** Why a server's time is of no use, by what it says of itself. */
function unusable(packet: NtpPacket): string | undefined {
  if (packet.leap === LEAP_UNSYNCHRONISED) return 'unsynchronised (leap 3)';
  if (packet.stratum === 0 || packet.stratum > MAX_STRATUM) return `stratum ${packet.stratum}`;
  if (!isSet(packet.receive) || !isSet(packet.transmit)) return 'timestamps not set';
  return undefined;
}

/** A client's question, with as little in it as RFC 5905 allows (draft-ietf-ntp-data-minimization). */
export function requestPacket(nonce: NtpTimestamp): NtpPacket {
  return {
    leap: 0,
    version: 4,
    mode: MODE_CLIENT,
    stratum: 0,
    poll: 0,
    precision: 0,
    rootDelay: 0,
    rootDispersion: 0,
    referenceId: 0,
    reference: NOT_SET,
    origin: NOT_SET,
    receive: NOT_SET,
    transmit: nonce,
  };
}
