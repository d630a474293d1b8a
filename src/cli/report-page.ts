import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { version } from '../../package.json';
import type { PipelineSummary, RunSummary } from '../core/contracts/index.js';
import { showMetric } from '../core/experiment/expectations.js';
import { formatDuration, formatTime } from '../core/quantity.js';
import { bestOf } from '../report/charts.js';
import { formatExact, formatPpm, formatShare } from '../report/format.js';
import { escapeText } from '../report/look.js';
import { packageRoot } from './pipelines.js';
import type { RunFolder } from './run-folder.js';

/** Runs as one page that needs nothing else: the figures as they are, the courses compressed, for the charts. */
export function pageOf(runs: readonly RunFolder[]): string {
  const shell = readFileSync(join(packageRoot(), 'dist', 'web', 'report.html'), 'utf8');
  const forCharts = runs.map(({ manifest, scenario, ...run }) => run);
  const data = gzipSync(JSON.stringify(forCharts), { level: 6 }).toString('base64');
  const title = runs.map(({ summary }) => summary.scenario).filter((name, i, all) => all.indexOf(name) === i);
  return shell
    .replace('<!--title-->', () => escapeText(`${title.join(', ')} · Escapement`))
    .replace('<!--content-->', () => contentOf(runs))
    .replace('<!--data-->', () => data);
}

function contentOf(runs: readonly RunFolder[]): string {
  const several = runs.length > 1;
  return [
    several ? runPicker(runs) : '',
    each(runs, headOf),
    figuresTable(runs),
    '<section id="charts" aria-label="Charts"></section>',
    each(runs, run => recoveryTable(run.summary, run.epoch)),
    each(runs, expectationsOf),
    each(runs, eventsOf),
    each(runs, manifestOf),
    `<footer>Made by Escapement ${escapeText(version)}. Figures are those of summary.json; every sample is in the run’s folder.</footer>`,
  ].join('\n');
}

/** What is there once for each run: one of them is shown. */
function each(runs: readonly RunFolder[], part: (run: RunFolder) => string): string {
  return runs
    .map((run, index) => [index, part(run)] as const)
    .filter(([, html]) => html !== '')
    .map(([index, html]) => `<div data-run="${index}"${index === 0 ? '' : ' hidden'}>${html}</div>`)
    .join('');
}

function runPicker(runs: readonly RunFolder[]): string {
  const options = runs.map(
    ({ name, summary }, index) =>
      `<option value="${index}">${escapeText(name)} (${escapeText(summary.scenario)}, seed ${escapeText(summary.seed)})</option>`,
  );
  return `<p class="picker"><label>Run <select id="run">${options.join('')}</select></label></p>`;
}

function headOf(run: RunFolder): string {
  const { summary, description } = run;
  const best = summary.pipelines.find(({ name }) => name === bestOf(run));
  const bare = summary.pipelines[0]!;
  const facts = [
    `${formatDuration(summary.duration)} ${summary.world}${summary.interrupted ? ', interrupted' : ''}`,
    `seed ${summary.seed}`,
    `${summary.pipelines.length - 1} pipelines`,
    `${summary.exchanges.answered} answers, ${summary.exchanges.failed} questions failed`,
    `${bare.samples} samples${summary.warmup > 0 ? ` after ${formatDuration(summary.warmup)} of warm-up` : ''}`,
  ];
  return (
    `<h1>${escapeText(summary.scenario)}</h1>` +
    (description === '' ? '' : `<p class="story">${escapeText(description)}</p>`) +
    `<ul class="facts">${facts.map(fact => `<li>${escapeText(fact)}</li>`).join('')}</ul>` +
    (best?.error == null ? '' : highlights(best, bare))
  );
}

function highlights(best: PipelineSummary, bare: PipelineSummary): string {
  const tiles: readonly (readonly [string, string, string])[] = [
    ['least RMS error', formatTime(best.error!.rms), best.name],
    ['its worst', formatTime(best.error!.max), worstAt(best)],
    [`its ${formatShare(best.bounds.level)} interval held`, formatShare(best.bounds.coverage), halfWidth(best)],
    ['the bare clock', formatTime(bare.error?.rms), `worst ${formatTime(bare.error?.max)}`],
  ];
  return `<dl class="tiles">${tiles
    .map(
      ([label, value, note]) =>
        `<div><dt>${escapeText(label)}</dt><dd><b>${escapeText(value)}</b><span>${escapeText(note)}</span></dd></div>`,
    )
    .join('')}</dl>`;
}

function worstAt({ behaviour }: PipelineSummary): string {
  return behaviour?.worst == null ? '' : `at ${formatExact(behaviour.worst.at, undefined)}`;
}

function halfWidth({ bounds }: PipelineSummary): string {
  return bounds.meanWidth === null ? '' : `± ${formatTime(bounds.meanWidth / 2)} on average`;
}

interface Column {
  readonly title: string;
  readonly about: string;
  /** What is sorted by, and what is shown. */
  value(pipeline: PipelineSummary): number | string | null | undefined;
  show?(pipeline: PipelineSummary): string;
}

const half = (width: number | null): number | null => (width === null ? null : width / 2);
const size = (title: string, about: string, value: Column['value'], sign = false): Column => ({
  title,
  about,
  value,
  show: pipeline => formatTime(value(pipeline) as number | null | undefined, sign),
});
const share = (title: string, about: string, value: Column['value']): Column => ({
  title,
  about,
  value,
  show: pipeline => formatShare(value(pipeline) as number | null | undefined),
});

const COLUMNS: readonly Column[] = [
  size('mean |error|', 'of told − reference', ({ error }) => error?.mae),
  size('RMS', 'root mean square error', ({ error }) => error?.rms),
  size('p50', 'half of the errors are smaller', ({ error }) => error?.p50),
  size('p95', '95 % of the errors are smaller', ({ error }) => error?.p95),
  size('p99', '99 % of the errors are smaller', ({ error }) => error?.p99),
  size('worst', 'largest error', ({ error }) => error?.max),
  {
    title: 'at',
    about: 'when the error was largest',
    value: ({ behaviour }) => behaviour?.worst?.at,
    show: ({ behaviour }) => (behaviour?.worst ? formatExact(behaviour.worst.at, undefined) : '–'),
  },
  size('bias', 'mean error; positive: ahead', ({ error }) => error?.bias, true),
  size('deviation', 'standard deviation about the mean', ({ error }) => error?.std),
  share('beats bare clock', 'share of the samples nearer to the reference', ({ winRate }) => winRate),
  share(
    'interval holds',
    'share of the samples at which the statistical interval held',
    ({ bounds }) => bounds.coverage,
  ),
  size('± interval', 'mean half-width of the interval', ({ bounds }) => half(bounds.meanWidth)),
  share(
    'maximum holds',
    'share of the samples at which the maximum error held',
    ({ bounds }) => bounds.maxErrorCoverage,
  ),
  size('± maximum', 'mean maximum error', ({ bounds }) => half(bounds.maxErrorMeanWidth)),
  {
    title: 'converged by',
    about: 'when the error was last beyond the limit',
    value: ({ behaviour }) => behaviour?.convergedBy,
    show: ({ behaviour }) => (behaviour?.convergedBy == null ? '–' : formatExact(behaviour.convergedBy, undefined)),
  },
  {
    title: 'drift error',
    about: 'RMS of the drift believed in less the true one',
    value: ({ behaviour }) => behaviour?.drift?.rms,
    show: ({ behaviour }) => formatPpm(behaviour?.drift?.rms),
  },
  {
    title: 'calibration',
    about: 'largest distance of the intervals from what they say',
    value: ({ behaviour }) => behaviour?.calibration?.distance,
    show: ({ behaviour }) => formatShare(behaviour?.calibration?.distance),
  },
];

function figuresTable(runs: readonly RunFolder[]): string {
  const several = runs.length > 1;
  const button = (title: string, about: string, text = false): string =>
    `<th scope="col"${text ? ' class="text"' : ''}><button type="button" title="${escapeText(about)}">${escapeText(title)}</button></th>`;
  const head = [
    ...(several ? [button('run', 'folder of the run')] : []),
    button('pipeline', 'name in the scenario', true),
    ...COLUMNS.map(({ title, about }) => button(title, about)),
  ];
  const rows = runs.flatMap((run, index) => {
    const best = bestOf(run);
    return run.summary.pipelines.map(pipeline => {
      const cells = COLUMNS.map(column => {
        const value = column.value(pipeline);
        const shown = column.show?.(pipeline) ?? String(value ?? '–');
        const bare = column.title === 'beats bare clock' && pipeline.name === 'bare-clock';
        return `<td data-value="${value ?? ''}">${bare ? '' : escapeText(shown)}</td>`;
      });
      const own = several ? `<td class="text" data-value="${escapeText(run.name)}">${escapeText(run.name)}</td>` : '';
      return (
        `<tr data-pipeline="${escapeText(pipeline.name)}" data-of="${index}"${pipeline.name === best ? ' class="best"' : ''}>${own}` +
        `<th scope="row" data-value="${escapeText(pipeline.name)}"><span class="swatch"></span>${escapeText(pipeline.name)}</th>` +
        `${cells.join('')}</tr>`
      );
    });
  });
  const references = new Set(runs.map(({ summary }) => summary.pipelines[0]!.reference));
  const against = [...references].map(one => (one === 'truth' ? 'true time' : 'the NTP measurements')).join(' or ');
  return (
    `<section aria-labelledby="figures"><h2 id="figures">Figures</h2>` +
    `<p class="note">Error is told − ${against}; positive: ahead. A heading sorts.</p>` +
    `<div class="scroll" tabindex="0" role="region" aria-label="Figures of every pipeline"><table id="table"><thead><tr>${head.join('')}</tr></thead>` +
    `<tbody>${rows.join('')}</tbody></table></div></section>`
  );
}

function recoveryTable({ pipelines }: RunSummary, epoch: number): string {
  const recovered = pipelines.filter(({ behaviour }) => behaviour?.recovery);
  const [first] = recovered;
  if (first === undefined) return '';
  const { each: faults, faults: count } = first.behaviour!.recovery!;
  const within = formatTime(first.behaviour!.within);
  const rows = faults.map(({ what, at }, index) => {
    const cells = recovered.map(({ behaviour }) => {
      const one = behaviour!.recovery!.each[index];
      if (one === undefined) return '<td>–</td>';
      const { recovery, max } = one;
      const bad = recovery === null ? ' class="bad"' : '';
      const after = recovery === null ? 'not' : recovery === 0 ? 'at once' : formatExact(recovery, undefined);
      return `<td${bad}>${after}<small>${formatTime(max)}</small></td>`;
    });
    return (
      `<tr><th scope="row">${escapeText(what)}<small><time data-t="${at}" data-epoch="${epoch}">${formatExact(at, undefined)}</time></small></th>` +
      `${cells.join('')}</tr>`
    );
  });
  const more = count > faults.length ? ` The first ${faults.length} of ${count} faults.` : '';
  return (
    `<section><h2>Recovery from each fault</h2>` +
    `<p class="note">From when it is over to when |error| was last beyond ${within} before the next; below, the largest error since it struck.${more}</p>` +
    `<div class="scroll" tabindex="0" role="region" aria-label="Recovery from each fault"><table class="recovery"><thead><tr><th scope="col">fault</th>` +
    `${recovered.map(({ name }) => `<th scope="col">${escapeText(name)}</th>`).join('')}</tr></thead><tbody>${rows.join('')}</tbody></table></div></section>`
  );
}

function expectationsOf({ summary: { expectations } }: RunFolder): string {
  if (expectations.length === 0) return '';
  const items = expectations.map(({ pipeline, metric, limit, found, holds }) => {
    return (
      `<li class="${holds ? 'holds' : 'broken'}"><b>${holds ? 'holds' : 'broken'}</b> ` +
      `${escapeText(`${pipeline} ${metric} ${limit}`)}<span>found ${showMetric(metric, found)}</span></li>`
    );
  });
  return `<section><h2>Expectations</h2><ul class="expectations">${items.join('')}</ul></section>`;
}

function eventsOf({ events, epoch }: RunFolder): string {
  if (events.length === 0) return '';
  const rows = events.map(
    ({ t, part, what }) =>
      `<tr><td><time data-t="${t}" data-epoch="${epoch}">${formatExact(t, undefined)}</time></td>` +
      `<td class="text">${escapeText(part.replace(/^pipelines\//, ''))}</td><td class="text">${escapeText(what)}</td></tr>`,
  );
  return (
    `<section><details><summary><h2>What plugins reported (${events.length})</h2></summary>` +
    `<div class="scroll" tabindex="0" role="region" aria-label="What plugins reported"><table class="events"><thead><tr><th scope="col">when</th><th scope="col">part</th>` +
    `<th scope="col">what</th></tr></thead><tbody>${rows.join('')}</tbody></table></div></details></section>`
  );
}

function manifestOf({ manifest, scenario }: RunFolder): string {
  const { plugins: _all, ...facts } = manifest;
  const rows = Object.entries(facts).map(([key, value]) => {
    const shown = typeof value === 'string' ? value : JSON.stringify(value);
    return `<div><dt>${escapeText(key)}</dt><dd>${escapeText(shown === '' || shown === '[]' ? '–' : shown)}</dd></div>`;
  });
  return (
    `<section><h2>Manifest</h2><dl class="manifest">${rows.join('')}</dl>` +
    `<details><summary>The scenario, every default filled in</summary><pre tabindex="0">${escapeText(scenario)}</pre></details></section>`
  );
}
