import { formatDuration, formatTime } from '../../core/quantity.js';
import type { HistoryDocument, PipelineStatus, SourceStatus, StatusDocument } from '../../core/serving/documents.js';
import { type EChartsType, init } from '../../report/echarts.js';
import { formatError, formatPpm } from '../../report/format.js';
import { escapeText } from '../../report/look.js';
import { DARK, LIGHT, type Theme } from '../../report/theme.js';
import { driftChart, type LiveView, offsetChart } from './charts.js';
import { DashboardModel } from './model.js';

/** A service that has said nothing for so long is said to be silent, milliseconds: statuses come every few seconds. */
const SILENT = 8000;
/** From one try to reach it to the next where the browser has given up, milliseconds. */
const RETRY = 2000;
/** Events that are listed. */
const LISTED = 100;
/** What an event's text is searched for, to mark what people look for first. */
const MARKED = /step|holdover|fallback|switch|unreachable|late|reload|falseticker|leap/i;

const dark = matchMedia('(prefers-color-scheme: dark)');
const still = matchMedia('(prefers-reduced-motion: reduce)');
const model = new DashboardModel();
let chosen = '';
let windowed = 0;
/** Of the last status: by `performance.now()`. */
let heardAt = Number.NaN;
let connected = false;

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

function theme(): Theme {
  return dark.matches ? DARK : LIGHT;
}

/** Sets text only where it changed: what is read aloud, or selected, is left alone. */
function say(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}

function html(target: HTMLElement, text: string): void {
  if (target.dataset['last'] === text) return;
  target.dataset['last'] = text;
  target.innerHTML = text;
}

function pipeline(): PipelineStatus | undefined {
  const { pipelines } = model.status ?? { pipelines: [] };
  return pipelines.find(({ name }) => name === chosen) ?? pipelines[0];
}

// --- The service ---

function connect(): void {
  const source = new EventSource('events');
  source.addEventListener('status', message => {
    connected = true;
    heardAt = performance.now();
    const status = JSON.parse((message as MessageEvent<string>).data) as StatusDocument;
    const before = model.status;
    model.take(status);
    render();
    if (
      before === undefined ||
      roundsOf(before) !== roundsOf(status) ||
      before.service.started !== status.service.started
    ) {
      void follow();
    }
  });
  source.addEventListener('error', () => {
    connected = false;
    connection();
    // On a refusal (not a cut) browsers give up.
    if (source.readyState === EventSource.CLOSED) setTimeout(connect, RETRY);
  });
}

function roundsOf({ pipelines }: StatusDocument): number {
  return pipelines.reduce((sum, { rounds }) => sum + rounds, 0);
}

let following = false;
/** Fetches the points that are not there yet. */
async function follow(): Promise<void> {
  if (following) return;
  following = true;
  try {
    const { newest } = model;
    const answer = await fetch(newest === undefined ? 'history' : `history?since=${newest}`);
    if (answer.ok) model.add((await answer.json()) as HistoryDocument);
    draw();
  } catch {
    // The connection says so; the next status asks again.
  } finally {
    following = false;
  }
}

// --- What is seen ---

function connection(): void {
  const silent = performance.now() - heardAt > SILENT;
  const [text, kind] = Number.isNaN(heardAt)
    ? ['connecting', 'waiting']
    : !connected
      ? ['connection lost, trying again', 'bad']
      : silent
        ? ['connected, but the service is silent', 'waiting']
        : ['live', 'good'];
  const badge = element('connection');
  say(badge, text);
  badge.className = `badge ${kind}`;
  document.body.classList.toggle('stale', !Number.isNaN(heardAt) && (!connected || silent));
}

function tick(): void {
  const now = pipeline()?.now;
  if (now !== undefined) {
    const { seconds, nanoseconds } = now.unix;
    const passed = (performance.now() - heardAt) / 1000;
    const at = new Date(Math.floor((seconds + nanoseconds / 1e9 + passed) * 1000)).toISOString();
    const digits = still.matches ? at.slice(11, 19) : at.slice(11, 22);
    html(element('time'), `${digits}<small>${at.slice(0, 10)} UTC</small>`);
  }
  connection();
}

function render(): void {
  const { status } = model;
  const shown = pipeline();
  if (status === undefined || shown === undefined) return;
  say(element('name'), status.service.name);
  document.title = `${status.service.name} · ${shown.phase} · Escapement`;
  const picker = element<HTMLSelectElement>('pipeline');
  html(
    picker,
    status.pipelines.map(({ name }) => `<option value="${escapeText(name)}">${escapeText(name)}</option>`).join(''),
  );
  picker.value = shown.name;
  const { now } = shown;
  const phase = element('phase');
  say(phase, shown.phase);
  phase.className = `badge ${phaseKind(shown)}`;
  html(element('bounds'), boundsOf(shown));
  tiles(shown);
  html(element('sources').querySelector('tbody')!, status.sources.map(sourceRow).join(''));
  html(element('pipelines').querySelector('tbody')!, status.pipelines.map(one => pipelineRow(one, status)).join(''));
  events(status);
  element('offset').setAttribute(
    'aria-label',
    `Offset over time, as a chart; now ${formatError(now.offset)}. The tables below say the same in numbers.`,
  );
  element('drift').setAttribute('aria-label', `Drift over time, as a chart; now ${formatPpm(now.drift)}.`);
  const { service, exchanges } = status;
  say(
    element('about'),
    `${service.world} world${service.clock === null ? '' : `, read through ${service.clock}`}; up for ` +
      `${formatDuration(Math.round(service.uptime))}; ${exchanges.answered} answers, ${exchanges.failed} questions failed.`,
  );
  tick();
}

function phaseKind({ phase }: PipelineStatus): string {
  return phase === 'synchronised' ? 'good' : phase === 'holdover' ? 'bad' : 'waiting';
}

function boundsOf({ now }: PipelineStatus): string {
  if (now.maxError === null || now.earliest === null || now.latest === null) {
    return 'Nothing is known of the time yet: this is the bare clock.';
  }
  return (
    `true time lies within <b>± ${formatTime(now.maxError)}</b>, and with ${Math.round(1000 * now.level) / 10} % within ` +
    `<b>± ${formatTime(now.uncertainty)}</b>`
  );
}

function tiles({ now, estimateAge }: PipelineStatus): void {
  const all: readonly (readonly [string, string, string])[] = [
    [
      'offset',
      now.synchronised ? formatError(now.offset) : '–',
      now.offset >= 0 ? 'wall clock behind' : 'wall clock ahead',
    ],
    ['drift', formatPpm(now.drift), now.driftDeviation === null ? '' : `± ${formatPpm(now.driftDeviation)}`],
    [`± interval (${Math.round(1000 * now.level) / 10} %)`, formatTime(now.uncertainty), 'if paths are symmetric'],
    ['± maximum error', formatTime(now.maxError), 'whatever the paths'],
    ['answer served', now.source, now.driftSource === null ? 'nothing measured yet' : `drift from ${now.driftSource}`],
    ['last measurement', ago(now.age), estimateAge === null ? '' : `estimate ${ago(estimateAge)}`],
  ];
  html(
    element('tiles'),
    all
      .map(
        ([label, value, note]) =>
          `<div><dt>${escapeText(label)}</dt><dd><b>${escapeText(value)}</b><span>${escapeText(note)}</span></dd></div>`,
      )
      .join(''),
  );
}

function ago(age: number | null): string {
  return age === null ? '–' : `${formatDuration(age < 10 ? Number(age.toFixed(1)) : Math.round(age))} ago`;
}

const KINDS: Readonly<Record<SourceStatus['standing'], string>> = {
  selected: 'good',
  combined: 'good',
  rejected: 'waiting',
  falseticker: 'bad',
  unreachable: 'bad',
  unheard: 'waiting',
};

function sourceRow(source: SourceStatus): string {
  const verdict = source.verdicts[chosen] ?? { standing: source.standing, reason: source.reason };
  const bits = Array.from({ length: 8 }, (_, i) => (source.reach >> (7 - i)) & 1);
  const octal = source.reach.toString(8).padStart(3, '0');
  const heard = bits.filter(bit => bit === 1).length;
  const reach =
    `<span class="reach" aria-hidden="true">${bits.map(bit => `<i${bit === 1 ? ' class="on"' : ''}></i>`).join('')}</span>` +
    `<span title="${heard} of the last 8 questions were answered">${octal}</span>`;
  const cells = [
    source.offset === null ? '–' : formatError(source.offset),
    formatTime(source.delay),
    formatTime(source.jitter),
    reach,
    source.poll === null ? '–' : formatDuration(Math.round(source.poll)),
    String(source.stratum ?? '–'),
    ago(source.lastAnswerAge),
    `${source.answered}/${source.asked}`,
    droppedCell(source),
  ];
  return (
    `<tr><th scope="row"${source.address === source.name ? '' : ` title="${escapeText(source.address)}"`}>${escapeText(source.name)}</th>` +
    `<td class="text"><span class="badge ${KINDS[verdict.standing]}">${verdict.standing}</span></td>` +
    `${cells.map(cell => `<td>${cell}</td>`).join('')}<td class="text why">${escapeText(verdict.reason)}</td></tr>`
  );
}

function droppedCell({ dropped }: SourceStatus): string {
  const reasons = Object.entries(dropped).filter(([, count]) => count > 0);
  const total = reasons.reduce((sum, [, count]) => sum + count, 0);
  return total === 0 ? '0' : `<span title="${reasons.map(each => each.join(' ')).join(', ')}">${total}</span>`;
}

function pipelineRow(one: PipelineStatus, { events: all }: StatusDocument): string {
  const { now } = one;
  const part = `pipelines/${one.name}/predictor`;
  const word = all.findLast(event => event.part.startsWith(part));
  const cells = [
    now.synchronised ? formatError(now.offset) : '–',
    formatTime(now.uncertainty),
    formatTime(now.maxError),
    formatPpm(now.drift),
    ago(now.age),
    `${one.applied}/${one.rounds}`,
  ];
  return (
    `<tr${one.name === pipeline()?.name ? ' class="best"' : ''}><th scope="row">${escapeText(one.name)}</th>` +
    `<td class="text"><span class="badge ${phaseKind(one)}">${one.phase}</span></td>` +
    `<td class="text">${escapeText(now.source)}</td><td class="text">${escapeText(now.driftSource ?? '–')}</td>` +
    `${cells.map(cell => `<td>${cell}</td>`).join('')}` +
    `<td class="text why">${escapeText(word === undefined ? 'nothing to report' : word.what)}</td></tr>`
  );
}

let listed: string | undefined;
/** New events are put before the others, so that a screen reader says only them. */
function events({ events: all, service }: StatusDocument): void {
  const list = element('events');
  if (listed !== service.started) {
    // Those of an earlier run of the service stay, below.
    for (const old of list.children) old.removeAttribute('data-id');
    listed = service.started;
  }
  const last = Number(list.querySelector<HTMLElement>('[data-id]')?.dataset['id'] ?? -1);
  for (const { id, time, part, what } of all.filter(entry => entry.id > last)) {
    const item = document.createElement('li');
    item.dataset['id'] = String(id);
    if (MARKED.test(what)) item.className = 'marked';
    item.innerHTML =
      `<time datetime="${escapeText(time)}" title="${escapeText(time)}">${escapeText(time.slice(11, 19))}</time>` +
      `<span>${escapeText(part.replace(/^pipelines\//, ''))}</span><b>${escapeText(what)}</b>`;
    list.prepend(item);
  }
  while (list.children.length > LISTED) list.lastElementChild!.remove();
  element('no-events').hidden = list.children.length > 0;
}

// --- Charts ---

const charts: { offset?: EChartsType; drift?: EChartsType } = {};

function draw(): void {
  const shown = pipeline();
  if (shown === undefined) return;
  const points = model.offsets.get(shown.name) ?? [];
  const to = model.newest ?? Date.now() / 1000;
  const firsts = [...model.offsets.values(), ...model.answers.values()].flatMap(line => line[0]?.unix ?? []);
  const from = windowed === 0 ? Math.min(...firsts, to - 10) : to - windowed;
  const width = element('offset').clientWidth;
  const view: LiveView = { theme: theme(), width, from, to, restarts: model.restarts };
  charts.offset ??= init(element('offset'), null, { renderer: 'svg' });
  charts.drift ??= init(element('drift'), null, { renderer: 'svg' });
  charts.offset.setOption(offsetChart(points, model.answers, view), { notMerge: true });
  charts.drift.setOption(driftChart(points, view), { notMerge: true });
}

function scheme(): void {
  document.documentElement.dataset['theme'] = theme().dark ? 'dark' : 'light';
  draw();
}

document.addEventListener('change', event => {
  const input = event.target as HTMLInputElement | HTMLSelectElement;
  if (input.id === 'pipeline') chosen = input.value;
  if (input.name === 'window') windowed = Number(input.value);
  render();
  draw();
});
dark.addEventListener('change', scheme);
addEventListener('resize', () => {
  charts.offset?.resize();
  charts.drift?.resize();
  draw();
});

scheme();
connect();
/** Hundredths need a picture each; one who wants no motion gets a second. */
function run(): void {
  tick();
  if (still.matches) setTimeout(run, 1000 - (Date.now() % 1000));
  else setTimeout(() => requestAnimationFrame(run), 40);
}
run();
