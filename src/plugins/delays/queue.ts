import { inject } from 'inversify';
import { z } from 'zod';
import type { DelayLaw, RandomStream } from '../../core/contracts/index.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { Streams } from '../../core/plugin/tokens.js';
import { ratio, time } from '../../core/quantity.js';
import { CountedDraws } from '../../core/world/lattice.js';
import { mix } from '../../core/world/random.js';

const Options = z.strictObject({
  service: time('Mean time that the link takes for one packet of the other traffic.', { above: 0 }).prefault('100 us'),
  utilisation: ratio('Share of the time in which the link is busy.', { min: 0, max: 0.99 }).prefault('60 %'),
});

/** A cell of time, in relaxation times of the queue, and how many cells back the traffic still counts. */
const CELL = 3;
const BACK = 3;

/**
 * A bottleneck with Poisson traffic: what a packet waits is the work that an M/M/1 queue holds when it arrives,
 * P(W > x) = ρ·e^(−(1−ρ)x/s) (L. Kleinrock, "Queueing Systems", vol. 1, 1975, section 5.12). Packets that follow each
 * other closely meet the same queue; our own packets are too few to add to it.
 *
 * The traffic is a function of time: it comes in cells of three relaxation times s/(1 − √ρ)², each with its own draws.
 * The queue at t follows from the traffic of t's cell and the three before it, at whose start it is drawn from the
 * stationary law; what it was then has been forgotten by t but for e⁻⁹ (and is the same whoever asks).
 */
@plugin({ kind: 'delay', name: 'queue', summary: 'Waiting in an M/M/1 queue of a given utilisation', options: Options })
export class QueueDelay implements DelayLaw {
  private readonly length: number;
  private readonly interval: number;
  private readonly salt: number;
  private readonly draws = new CountedDraws(0);
  private cell = Number.NaN;
  /** Work in the queue at `time`, seconds, and when the next packet of the other traffic comes. */
  private work = 0;
  private time = 0;
  private next = 0;

  constructor(
    @inject(PluginOptions) private readonly options: z.output<typeof Options>,
    @inject(Streams) streams: Streams,
  ) {
    const { service, utilisation } = options;
    this.length = (CELL * service) / (1 - Math.sqrt(utilisation)) ** 2;
    this.interval = service / utilisation;
    this.salt = streams('traffic').uint32();
  }

  draw(_random: RandomStream, at: number): number {
    if (this.options.utilisation === 0) return 0;
    const cell = Math.floor(at / this.length);
    if (cell !== this.cell) {
      const from = cell - BACK;
      this.work = this.enter(from);
      this.time = from * this.length;
      for (let next = from + 1; next <= cell; next++) {
        this.serve(next * this.length);
        this.enter(next);
      }
      this.cell = cell;
    }
    this.serve(at);
    return Math.max(0, this.work - (at - this.time));
  }

  /** Begins a cell's traffic, and returns a draw of the stationary work. */
  private enter(cell: number): number {
    const { service, utilisation } = this.options;
    const { draws } = this;
    // Cells of a long run at a short service time are more than 2³².
    draws.restart(mix(mix(this.salt, cell % 4294967296), Math.floor(cell / 4294967296)));
    const busy = draws.uniform() < utilisation;
    const work = (service / (1 - utilisation)) * draws.exponential();
    this.next = cell * this.length + this.interval * draws.exponential();
    return busy ? work : 0;
  }

  /** Lets the traffic come until t. */
  private serve(t: number): void {
    const { draws, interval } = this;
    const { service } = this.options;
    let { work, time, next } = this;
    while (next <= t) {
      const left = work - (next - time);
      work = (left > 0 ? left : 0) + service * draws.exponential();
      time = next;
      next += interval * draws.exponential();
    }
    this.work = work;
    this.time = time;
    this.next = next;
  }
}
