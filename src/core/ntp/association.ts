import { type Observable, Subject, type Subscription } from 'rxjs';
import type {
  ClockReading,
  Datagram,
  DatagramSocket,
  Endpoint,
  Exchange,
  Poller,
  PollState,
  RandomStream,
  SourceEvent,
  Task,
  World,
} from '../contracts/index.js';
import { measure } from '../contracts/index.js';
import { guarded, InputError } from '../errors.js';
import { formatTime } from '../quantity.js';
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
}

/** Datagrams that were dropped without ending the question, by reason. */
export interface DropCounts {
  malformed: number;
  wrongAddress: number;
  wrongMode: number;
  /** Late, duplicate or forged: the origin is not the nonce of the question that is open. */
  wrongOrigin: number;
}

/** The highest stratum that is synchronised (RFC 5905's MAXSTRAT is 16, "unsynchronised"). */
const MAX_STRATUM = 15;
/** Stratum 0 without such a reference identifier is not a kiss: chronyd says so while it is unsynchronised. */
const KISS_CODE = /^[A-Z\d]{3,4}$/i;
/** A RATE kiss at most doubles the interval up to this many seconds (2¹⁷, RFC 5905's MAXPOLL). */
const SLOWEST_POLL = 131_072;

/**
 * A client association, RFC 5905 sections 8, 9.1 and 7.4: one question open at a time, each from a new socket with a
 * random port. The transmit timestamp on the wire is a random nonce and T1 stays here, so the origin check is exact and
 * nobody learns our clock.
 */
export class Association {
  readonly events: Observable<SourceEvent>;
  readonly drops: DropCounts = { malformed: 0, wrongAddress: 0, wrongMode: 0, wrongOrigin: 0 };

  private readonly subject = new Subject<SourceEvent>();
  private readonly random: RandomStream;
  private poll: Task | undefined;
  private repeat: Task | undefined;
  private question: Question | undefined;
  private stopped = true;
  private lookingUp = false;
  private addresses: readonly Endpoint[] = [];
  private addressIndex = 0;

  private sent = 0;
  private missed = 0;
  private reach = 0;
  private interval: number | undefined;
  private floor = 0;
  private last: PollState['last'];
  private nextDue = 0;

  constructor(
    /** The server's name, as the events carry it. */
    readonly source: string,
    /** Unique in the run: names the random streams of this association. */
    private readonly path: string,
    private readonly target: { readonly host: string; readonly port: number },
    private readonly world: World,
    private readonly poller: Poller,
    private readonly options: AssociationOptions,
  ) {
    this.events = this.subject.asObservable();
    this.random = world.random(`${path}/nonce`);
  }

  get outstanding(): boolean {
    return this.question !== undefined || this.lookingUp;
  }

  /** Asks for the first time when the local counter reads `at`. Associations started together ask together. */
  start(at = this.world.scheduler.time): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.nextDue = at;
    this.poll = this.world.scheduler.at(this.nextDue, () => this.ask());
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
    this.schedule();
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
    const socket = this.world.network.open(this.path);
    const question = new Question(nonce, endpoint, socket);
    this.question = question;
    question.reply = socket.received.subscribe({
      next: datagram => this.receive(question, datagram),
      error: (error: unknown) => this.unheard(question, error instanceof Error ? error.message : String(error)),
    });
    question.sent = socket.send(encodePacket(requestPacket(nonce)), endpoint);
    question.timeout = this.world.scheduler.at(this.world.scheduler.time + this.options.timeout, () =>
      this.unheard(question, 'timeout'),
    );
  }

  /** Another address may answer: it is tried next time, and after the last the name is looked up again. */
  private unheard(question: Question, reason: string): void {
    this.addressIndex += 1;
    if (this.addressIndex % this.addresses.length === 0) this.addresses = [];
    this.fail(question, reason);
    this.tryAgain();
  }

  /** Where the poller wants a silent server asked again before the next turn. */
  private tryAgain(): void {
    const { scheduler } = this.world;
    const wait = this.poller.retry?.(this.state());
    if (wait === undefined) return;
    const due = scheduler.time + Math.max(wait, this.floor);
    if (due < this.nextDue) this.repeat = scheduler.at(due, () => this.inquire());
  }

  private schedule(): void {
    const interval = guarded(`${this.path}, poller`, () => this.poller.next(this.state()));
    if (!(interval > 0 && interval < Number.POSITIVE_INFINITY)) {
      throw new InputError(
        this.path,
        `the poller gave an interval of ${interval} s; expected a positive, finite number of seconds`,
      );
    }
    this.interval = Math.max(this.floor, interval);
    this.nextDue += this.interval;
    // After a suspend or a step the turns that were missed are not made up for.
    if (this.nextDue <= this.world.scheduler.time) this.nextDue = this.world.scheduler.time + this.interval;
    this.poll = this.world.scheduler.at(this.nextDue, () => this.ask());
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
      if (endpoints.length === 0) {
        failed(new Error(`no address for ${host}`));
        return;
      }
      this.addresses = endpoints;
      this.addressIndex = 0;
      this.send(endpoints[0]!);
    };
    this.world.scheduler.settle(
      this.world.network.resolve(host, port),
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
    if (datagram.from.address !== question.to.address || datagram.from.port !== question.to.port) {
      this.drops.wrongAddress += 1;
      return;
    }
    const packet = decodePacket(datagram.bytes);
    if (packet === undefined) {
      this.drops.malformed += 1;
      return;
    }
    if (packet.mode !== MODE_SERVER) {
      this.drops.wrongMode += 1;
      return;
    }
    if (!sameTimestamp(packet.origin, question.nonce)) {
      this.drops.wrongOrigin += 1;
      return;
    }
    // From here on the packet is the server's answer to this question, kiss or not.
    const code = asciiOf(packet.referenceId);
    if (packet.stratum === 0 && KISS_CODE.test(code)) {
      this.kiss(question, code);
      return;
    }
    const problem = unusable(packet);
    if (problem !== undefined) {
      this.fail(question, problem);
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
      this.fail(question, `root distance ${formatTime(rootDistance)} over the limit of ${formatTime(maxDistance)}`);
      return;
    }
    this.close(question);
    this.reach |= 1;
    this.missed = 0;
    this.last = { offset, delay, at: counter };
    this.emit({ type: 'exchange', exchange });
  }

  /** RFC 5905 section 7.4: RATE slows down, DENY and RSTR end the association; others are for information. */
  private kiss(question: Question, code: string): void {
    if (code === 'RATE') {
      this.floor = Math.min(SLOWEST_POLL, Math.max(this.floor, this.interval ?? 0) * 2);
      this.nextDue = this.world.scheduler.time + this.floor;
      this.poll?.cancel();
      this.poll = this.world.scheduler.at(this.nextDue, () => this.ask());
    } else if (code === 'DENY' || code === 'RSTR') {
      this.poll?.cancel();
      this.poll = undefined;
    }
    this.fail(question, `kiss ${code}`);
  }

  private fail(question: Question, reason: string): void {
    this.close(question);
    this.missed += 1;
    this.emit({
      type: 'failure',
      failure: { source: this.source, sent: question.sent!, settled: this.world.clock.read(), reason },
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

  constructor(
    readonly nonce: NtpTimestamp,
    readonly to: Endpoint,
    private readonly socket: DatagramSocket,
  ) {}

  close(): void {
    this.timeout?.cancel();
    this.reply?.unsubscribe();
    this.socket.close();
  }
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
