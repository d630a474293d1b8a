import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';

const BINARY = '/usr/bin/chromium';

/** Where screenshots are kept; CI keeps the folder. */
const artifacts = fileURLToPath(new URL('../../artifacts', import.meta.url));

/** Why no browser can be started here; undefined where one can. In CI there has to be one. */
export function whyNoBrowser(): string | undefined {
  if (existsSync(BINARY)) return undefined;
  const why = `${BINARY} is not installed (apt-get install chromium)`;
  if (process.env['CI']) throw new Error(`the tests of pages need it in CI: ${why}`);
  return why;
}

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: BINARY,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export interface Opened {
  readonly page: Page;
  /** What a page may not do: errors and warnings on the console, what it throws. */
  readonly complaints: readonly string[];
  /** Everything it asked for beyond itself. */
  readonly requests: readonly string[];
}

export interface Viewer {
  readonly scheme?: 'light' | 'dark';
  readonly width?: number;
}

export async function open(
  browser: Browser,
  url: string,
  { scheme = 'light', width = 1280 }: Viewer = {},
): Promise<Opened> {
  const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme });
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', error => complaints.push(error.message));
  page.on('request', request => {
    if (request.url() !== url && !request.url().startsWith('data:')) requests.push(request.url());
  });
  await page.goto(url);
  return { page, complaints, requests };
}

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary?: string }[];
}

/** What axe-core finds fault with: rule and place. */
export async function accessibilityFaults(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate('axe.run()')) as { readonly violations: readonly Violation[] };
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary ?? ''}`),
  );
}

export async function keepScreenshot(page: Page, name: string): Promise<void> {
  mkdirSync(artifacts, { recursive: true });
  await page.screenshot({ path: join(artifacts, `${name}.png`), fullPage: true });
}
