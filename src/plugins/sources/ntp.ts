import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { inject } from 'inversify';
import { merge, type Observable } from 'rxjs';
import { z } from 'zod';
import {
  type Passage,
  type Poller,
  type Snapshot,
  type Source,
  type SourceEvent,
  World,
} from '../../core/contracts/index.js';
import { InputError } from '../../core/errors.js';
import { Association, type AssociationOptions } from '../../core/ntp/association.js';
import { CommonPace } from '../../core/ntp/common-pace.js';
import { CourteousPoller } from '../../core/ntp/courtesy.js';
import { TurnJitter } from '../../core/ntp/jitter.js';
import { findKey } from '../../core/ntp/key-file.js';
import { NtsCredentials } from '../../core/ntp/nts.js';
import { NTS_KE_PORT } from '../../core/ntp/nts-ke.js';
import { isLoopback, parseServer } from '../../core/ntp/server-address.js';
import { type SymmetricKey, SymmetricKeyCredentials } from '../../core/ntp/symmetric-key.js';
import { choice } from '../../core/plugin/choice.js';
import { PluginOptions, plugin } from '../../core/plugin/registry.js';
import { stateIn } from '../../core/plugin/state.js';
import { InputFolder, PartName, PluginFactory, Report, ServerNames } from '../../core/plugin/tokens.js';
import { duration } from '../../core/quantity.js';
import { isWeak, symmetricKey } from '../../platform/symmetric-key.js';

const Nts = z.strictObject({
  ca: z.string().min(1).optional().meta({
    description: 'A file with the certificates of the authorities to trust (PEM); left out: those that Node trusts.',
  }),
  servername: z.string().min(1).optional().meta({
    description: 'The name that the certificate has to be for; left out: the host.',
  }),
});

const Server = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][\w.-]*$/, 'expected a name of letters, digits, "-", "_" and "."')
    .optional()
    .meta({ description: 'What it is called in everything that is told of it; left out: as `server` has it.' }),
  server: z.string().min(1).meta({
    description: 'HOST[:PORT]; with `nts` the port is that of key establishment, 4460 unless given.',
  }),
  nts: z.union([z.boolean(), Nts]).optional().meta({
    description: 'Network Time Security (RFC 8915): answers that do not prove whose they are are dropped.',
  }),
  key: z.int().min(1).max(4_294_967_295).optional().meta({
    description: 'The number of a key in `keyFile`: answers without a MAC by it are dropped.',
  }),
});

const Options = z.strictObject({
  servers: z
    .array(z.union([z.string().min(1), Server], 'expected HOST[:PORT], or { server: HOST[:PORT], … }'))
    .min(1)
    .optional()
    .meta({
      description: 'Names of simulated servers, or HOST[:PORT] of real ones; left out: all of the simulated world.',
    }),
  keyFile: z.string().min(1).optional().meta({
    description: "Symmetric keys in chrony's or ntpd's format: lines of ID TYPE SECRET.",
  }),
  poller: choice('poller', 'When to ask again.').prefault('fixed'),
  timeout: duration('How long an answer is waited for.').prefault('1 s'),
  jitter: duration(
    'How much later than its turn a question may come, at most a fiftieth of the interval: drawn anew for each turn, so ' +
      'that clients do not keep step. Left out: 1 s in the real world, none in a simulated one.',
  ).optional(),
  together: z
    .boolean()
    .default(false)
    .meta({
      description:
        'All servers are asked at the same time, at the shortest interval that the poller of any of them calls for, so that ' +
        'every round holds them all.',
    }),
  mine: z.boolean().default(false).meta({
    description: 'Real servers of your own: they may be asked more often than one may ask those of others.',
  }),
  maxDistance: duration('Answers with this root distance or more are unusable (RFC 5905: MAXDIST).').prefault('1.5 s'),
});

const State = z.record(
  z.string(),
  z.strictObject({
    sent: z.int().min(0),
    interval: z.number().positive().nullable(),
    floor: z.number().min(0),
    due: z.number(),
  }),
);
const VERSION = 1;

/** How much later than its turn a real question may come, seconds. */
const JITTER = 1;

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
  readonly addresses: Readonly<Record<string, string>>;
  private readonly associations: readonly Association[];

  constructor(
    @inject(PluginOptions) options: z.output<typeof Options>,
    @inject(World) private readonly world: World,
    @inject(PartName) part: string,
    @inject(ServerNames) known: readonly string[],
    @inject(PluginFactory) make: PluginFactory,
    @inject(Report) report: Report,
    @inject(InputFolder) folder: string,
  ) {
    const servers = (options.servers ?? known).map(one => (typeof one === 'string' ? { server: one } : one));
    this.servers = servers.map(({ server, name = server }) => name);
    this.addresses = Object.fromEntries(
      servers.flatMap(({ server, name }) => (name === undefined ? [] : [[name, server]])),
    );
    if (this.servers.length === 0) throw new InputError(`sources.${part}`, 'expected `servers`, found none');
    if (new Set(this.servers).size < this.servers.length) {
      throw new InputError(`sources.${part}.servers`, 'names one server twice');
    }
    const keys = new Keys(options.keyFile, folder, `sources.${part}`, report);
    const { jitter = world.kind === 'real' ? JITTER : 0, timeout, maxDistance } = options;
    const association: AssociationOptions = {
      timeout,
      maxDistance,
      report,
      ...(options.together && { pace: new CommonPace(world.scheduler) }),
      ...(jitter > 0 && { jitter: new TurnJitter(jitter, world.random(`${part}/jitter`)) }),
    };
    this.associations = servers.map(({ server, name = server, nts, key }, index) => {
      const place = `sources.${part}.servers[${index}]`;
      const secured = nts !== undefined && nts !== false;
      const target = parseServer(server, `sources.${part}.servers`, secured ? NTS_KE_PORT : undefined);
      if (world.kind === 'simulated') world.network.resolve(target.host, target.port);
      if (secured && key !== undefined) throw new InputError(place, 'expected one of `nts` and `key`, found both');
      if ((secured || key !== undefined) && world.kind !== 'real') {
        const what = secured ? 'nts' : 'key';
        throw new InputError(
          `${place}.${what}`,
          `is for a real world: the servers of a ${world.kind} one have no keys`,
        );
      }
      const wanted: Poller = make('poller', options.poller, `poller/${server}`);
      const free = world.kind !== 'real' || options.mine || isLoopback(target.host);
      const raised = (seconds: number, least: number): void =>
        report(`asks ${name} every ${least} s and not ${seconds} s: it is neither on this machine nor marked \`mine\``);
      const poller = free ? wanted : new CourteousPoller(wanted, raised);
      const credentials = secured
        ? ntsCredentials(name, target, nts === true ? {} : nts, `${place}.nts`, { world, folder, report, part })
        : key === undefined
          ? undefined
          : new SymmetricKeyCredentials(keys.find(key, `${place}.key`));
      return new Association(name, `${part}/${server}`, target, world, poller, association, credentials);
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

  /** How each server is asked: one that wants to be asked less is not asked more after a new configuration. */
  snapshot(): Snapshot {
    const state = Object.fromEntries(this.associations.map(one => [one.source, one.snapshot()]));
    return { version: VERSION, state };
  }

  restore(snapshot: Snapshot, passage: Passage): void {
    const states = stateIn(snapshot, VERSION, State);
    for (const association of this.associations) {
      const state = states[association.source];
      if (state !== undefined) association.restore(state, passage);
    }
  }

  stop(): void {
    for (const association of this.associations) association.stop();
  }
}

/** The keys of a file, which is read when the first is asked for. */
class Keys {
  private text: string | undefined;

  constructor(
    private readonly file: string | undefined,
    private readonly folder: string,
    private readonly place: string,
    private readonly report: Report,
  ) {}

  find(id: number, place: string): SymmetricKey {
    const { file, folder, report } = this;
    if (file === undefined) throw new InputError(place, `expected \`keyFile\` in ${this.place}, found none`);
    const path = resolve(folder, file);
    this.text ??= this.read(path);
    const line = findKey(this.text, id, path);
    if (isWeak(line))
      report(`key ${id} of ${path} is an MD5 key, which RFC 8573 deprecates: better have AES128 or SHA256`);
    return symmetricKey(line);
  }

  private read(path: string): string {
    const text = readText(path, `${this.place}.keyFile`);
    const mode = statSync(path).mode & 0o777;
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      this.report(`others than its owner may use the keys of ${path} (mode ${mode.toString(8)}): chmod 600 ${path}`);
    }
    return text;
  }
}

function readText(path: string, place: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    throw new InputError(place, code === 'ENOENT' ? `there is no file ${path}` : `cannot read ${path} (${code})`);
  }
}

function ntsCredentials(
  name: string,
  target: { readonly host: string; readonly port: number },
  { ca, servername }: z.output<typeof Nts>,
  place: string,
  { world, folder, report, part }: { world: World; folder: string; report: Report; part: string },
): NtsCredentials {
  const { network, scheduler } = world;
  if (network.establishKeys === undefined) throw new InputError(place, "this world's network cannot establish keys");
  const path = ca === undefined ? undefined : resolve(folder, ca);
  const authorities = path === undefined ? undefined : readText(path, `${place}.ca`);
  if (authorities !== undefined && !authorities.includes('-----BEGIN CERTIFICATE-----')) {
    throw new InputError(`${place}.ca`, `expected certificates (PEM), found none in ${path}`);
  }
  return new NtsCredentials({
    name,
    establish: () => network.establishKeys!({ ...target, ca: authorities, servername }),
    resolve: (host, port) => network.resolve(host, port),
    random: world.random(`${part}/${name}/nts`),
    now: () => scheduler.time,
    report,
  });
}
