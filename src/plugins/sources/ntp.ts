import { inject } from 'inversify';
import { merge, type Observable } from 'rxjs';
import { z } from 'zod';
import { type Poller, type Source, type SourceEvent, World } from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { Association } from '../../core/ntp/association.js';
import { CourteousPoller } from '../../core/ntp/courtesy.js';
import { isLoopback, parseServer } from '../../core/ntp/server-address.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { PartName, PluginFactory, Report, ServerNames } from '../../core/plugin/tokens.js';
import { duration } from '../../core/quantity.js';

const Options = z.strictObject({
  servers: z.array(z.string().min(1)).min(1).optional().meta({
    description: 'Names of simulated servers, or HOST[:PORT] of real ones; left out: all of the simulated world.',
  }),
  poller: choice('poller', 'When to ask again.').prefault('fixed'),
  timeout: duration('How long an answer is waited for.').prefault('1 s'),
  mine: z.boolean().default(false).meta({
    description: 'Real servers of your own: they may be asked more often than one may ask those of others.',
  }),
  maxDistance: duration('Answers with this root distance or more are unusable (RFC 5905: MAXDIST).').prefault('1.5 s'),
});

/** Any number of NTP servers, each asked through an RFC 5905 client association of its own. */
@plugin({
  kind: 'source',
  name: 'ntp',
  summary: 'NTP servers, simulated or real, through an RFC 5905 client',
  options: Options,
})
export class NtpSource implements Source {
  readonly events: Observable<SourceEvent>;
  readonly servers: readonly string[];
  private readonly associations: readonly Association[];

  constructor(
    @inject(PluginOptions) options: z.output<typeof Options>,
    @inject(World) private readonly world: World,
    @inject(PartName) part: string,
    @inject(ServerNames) known: readonly string[],
    @inject(PluginFactory) make: PluginFactory,
    @inject(Report) report: Report,
  ) {
    this.servers = options.servers ?? known;
    if (this.servers.length === 0) throw new InputError(`sources.${part}`, 'expected `servers`, found none');
    if (new Set(this.servers).size < this.servers.length) {
      throw new InputError(`sources.${part}.servers`, 'names one server twice');
    }
    this.associations = this.servers.map(server => {
      const target = parseServer(server, `sources.${part}.servers`);
      if (world.kind === 'simulated') world.network.resolve(target.host, target.port);
      const wanted: Poller = make('poller', options.poller, `poller/${server}`);
      const free = world.kind !== 'real' || options.mine || isLoopback(target.host);
      const raised = (seconds: number, least: number): void =>
        report(
          `asks ${server} every ${least} s and not ${seconds} s: it is neither on this machine nor marked \`mine\``,
        );
      const poller = free ? wanted : new CourteousPoller(wanted, raised);
      return new Association(server, `${part}/${server}`, target, world, poller, options);
    });
    this.events = merge(...this.associations.map(association => association.events));
  }

  get outstanding(): number {
    let open = 0;
    for (const association of this.associations) if (association.outstanding) open += 1;
    return open;
  }

  start(): void {
    const now = this.world.scheduler.time;
    for (const association of this.associations) association.start(now);
  }

  askNow(): void {
    for (const association of this.associations) association.askNow();
  }

  stop(): void {
    for (const association of this.associations) association.stop();
  }
}
