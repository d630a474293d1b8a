import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { formatTime } from '../../src/core/quantity.js';
import type { StatusDocument } from '../../src/core/serving/documents.js';
import { accessibilityFaults, keepScreenshot, open, openBrowser, whyNoBrowser } from '../support/browser.js';
import { type CliRun, start } from '../support/cli.js';

describe.skipIf(whyNoBrowser())('the dashboard in a browser', () => {
  let browser: Browser;
  const runs: CliRun[] = [];

  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    for (const run of runs.splice(0)) {
      run.child.kill('SIGINT');
      await run.ended;
    }
  });

  /** A live run on loopback with its page; on a free port unless one is named. */
  const serve = async (port = 0): Promise<{ readonly run: CliRun; readonly url: string }> => {
    const run = start(['live', '--demo', '--dashboard', String(port), '--for', '10 min']);
    runs.push(run);
    let said = '';
    run.child.stdout.on('data', (data: Buffer) => {
      said += data.toString();
    });
    await run.shows(/Dashboard: http:\S+/);
    return { run, url: /Dashboard: (http:\S+)/.exec(said)![1]! };
  };
  const heard = async (page: Page): Promise<void> => {
    await expect.poll(() => page.locator('#sources tbody tr').count(), { timeout: 20_000 }).toBe(4);
    await page.waitForSelector('#offset svg', { state: 'attached' });
  };
  const connection = (page: Page): Promise<string | null> => page.textContent('#connection');

  test.each([
    ['light', 1280],
    ['dark', 390],
  ] as const)(
    'shows the run as it goes, %s, %i pixels wide, accessible and without a complaint',
    async (scheme, width) => {
      const { url } = await serve();
      const { page, complaints, requests } = await open(browser, url, { scheme, width });
      await heard(page);
      await expect.poll(() => page.textContent('#phase'), { timeout: 20_000 }).toBe('synchronised');
      const time = await page.textContent('#time');
      expect(time).toMatch(/^\d\d:\d\d:\d\d\.\d\d\d{4}-\d\d-\d\d UTC$/);
      await expect.poll(() => page.textContent('#time')).not.toBe(time);
      expect(await connection(page)).toBe('live');
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      expect(await accessibilityFaults(page)).toEqual([]);
      await keepScreenshot(page, `dashboard-${scheme}`);
      expect(complaints).toEqual([]);
      // Nothing but the service that it comes from.
      expect(requests.filter(request => !request.startsWith(url))).toEqual([]);
      await page.close();
    },
  );

  test("says what the service says: bounds, answer served, every source's figures and verdict, events", async () => {
    const { url } = await serve();
    const { page } = await open(browser, url);
    await heard(page);
    // The first pipeline votes: the liar has no friend. A slow machine hears the servers one after the other.
    const rowsThatSay = async (verdict: string): Promise<number> =>
      (await page.locator('#sources tbody tr').allInnerTexts()).filter(row => row.includes(verdict)).length;
    await expect.poll(() => rowsThatSay('combined'), { timeout: 20_000 }).toBe(3);
    await expect.poll(() => rowsThatSay('outside what the majority agrees on'), { timeout: 20_000 }).toBe(1);
    const status = (await (await fetch(`${url}status`)).json()) as StatusDocument;
    await expect.poll(() => page.innerText('#about')).toContain(status.service.clock);
    expect(await page.locator('#sources tbody th').allInnerTexts()).toEqual(status.sources.map(({ name }) => name));
    expect(await page.locator('#pipelines tbody th').allInnerTexts()).toEqual(status.pipelines.map(({ name }) => name));
    expect(await page.innerText('#events')).toContain('listens on');
    // Another pipeline's answer: the one that believes the liar.
    await page.selectOption('#pipeline', 'offset-only');
    await expect.poll(() => page.innerText('#tiles')).toContain('offset-only');
    const { now } = ((await (await fetch(`${url}status`)).json()) as StatusDocument).pipelines.find(
      ({ name }) => name === 'offset-only',
    )!;
    const shown = /offset\s+\+(\d+)(?:\.\d+)? ms/.exec(await page.innerText('#tiles'))![1];
    expect(Math.abs(Number(shown) - Number.parseFloat(formatTime(now.offset)))).toBeLessThan(5);
    await page.close();
  });

  test('survives a restart of the service, and says so meanwhile', async () => {
    const first = await serve();
    const { page } = await open(browser, first.url);
    await heard(page);
    first.run.child.kill('SIGINT');
    await first.run.ended;
    await expect.poll(() => connection(page), { timeout: 10_000 }).toBe('connection lost, trying again');
    const second = await serve(Number(new URL(first.url).port));
    expect(second.url).toBe(first.url);
    await expect.poll(() => connection(page), { timeout: 20_000 }).toBe('live');
    await expect.poll(() => page.locator('#events li').count(), { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
    await expect.poll(() => page.innerHTML('#offset'), { timeout: 20_000 }).toContain('restart');
    await page.close();
  });

  test('works by keyboard alone', async () => {
    const { url } = await serve();
    const { page } = await open(browser, url);
    await heard(page);
    const reached = new Set<string>();
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press('Tab');
      reached.add(
        String(
          await page.evaluate(
            "document.activeElement.id || document.activeElement.getAttribute('aria-label') || document.activeElement.name",
          ),
        ),
      );
    }
    expect([...reached]).toEqual(
      expect.arrayContaining(['pipeline', 'window', 'Every source in figures', 'Every pipeline in figures']),
    );
    await page.focus('#pipeline');
    await page.keyboard.press('ArrowDown');
    await expect.poll(() => page.inputValue('#pipeline')).toBe('kalman-median');
    await page.close();
  });
});
