import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RunSummary } from '../../src/core/contracts/index.js';
import { formatTime } from '../../src/core/quantity.js';
import {
  accessibilityFaults,
  keepScreenshot,
  type Opened,
  open,
  openBrowser,
  whyNoBrowser,
} from '../support/browser.js';
import { escapement } from '../support/cli.js';

const scenario = fileURLToPath(new URL('../../scenarios/jump-and-drift.yaml', import.meta.url));

describe.skipIf(whyNoBrowser())('the report in a browser', () => {
  let folder: string;
  let url: string;
  let summary: RunSummary;
  let browser: Browser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'report-'));
    const { code, stdout } = await escapement(['run', scenario, '--report', '--out', folder]);
    expect(code).toBe(0);
    expect(stdout).toContain(`Report: ${join(folder, 'report.html')}`);
    url = pathToFileURL(join(folder, 'report.html')).href;
    summary = JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8')) as RunSummary;
    browser = await openBrowser();
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const show = async (scheme: 'light' | 'dark' = 'light', width?: number): Promise<Opened> => {
    const opened = await open(browser, url, { scheme, ...(width !== undefined && { width }) });
    await opened.page.waitForSelector('#error svg path', { state: 'attached' });
    return opened;
  };
  const view = (page: Page): Promise<string | null> => page.textContent('#view');
  /** What is drawn: the path of the line with the most points. */
  const drawn = (page: Page): Promise<string> =>
    page.evaluate(`[...document.querySelectorAll('#error path')].map(path => path.getAttribute('d'))
      .reduce((a, b) => (b.length > a.length ? b : a))`);

  test.each(['light', 'dark'] as const)(
    'draws every chart, asks the network for nothing, and is accessible: %s',
    async scheme => {
      const { page, complaints, requests } = await show(scheme);
      for (const id of ['distribution', 'cdf', 'oadev', 'tdev', 'mtie', 'coverage', 'pit']) {
        expect(await page.locator(`#${id} svg path`).count(), id).toBeGreaterThan(5);
      }
      expect(await page.evaluate('document.documentElement.dataset.theme')).toBe(scheme);
      await keepScreenshot(page, `report-${scheme}`);
      expect(complaints).toEqual([]);
      expect(requests).toEqual([]);
      expect(await accessibilityFaults(page)).toEqual([]);
      await page.close();
    },
  );

  test("shows the summary's figures", async () => {
    const { page } = await show();
    const rows = await page.locator('#table tbody tr').allInnerTexts();
    expect(rows).toHaveLength(summary.pipelines.length);
    summary.pipelines.forEach(({ name, error }, index) => {
      const cells = rows[index]!.split('\t');
      expect(cells.slice(0, 7)).toEqual([
        name,
        ...(['mae', 'rms', 'p50', 'p95', 'p99', 'max'] as const).map(key => formatTime(error![key])),
      ]);
    });
    await page.close();
  });

  test('the table sorts by any column, either way', async () => {
    const { page } = await show();
    const names = (): Promise<string[]> => page.locator('#table tbody th').allInnerTexts();
    const byRms = [...summary.pipelines].sort((a, b) => a.error!.rms - b.error!.rms).map(({ name }) => name);
    await page.getByRole('button', { name: 'RMS' }).click();
    expect(await names()).toEqual(byRms);
    expect(await page.locator('th[aria-sort="ascending"]').innerText()).toContain('RMS');
    await page.getByRole('button', { name: 'RMS' }).click();
    expect(await names()).toEqual(byRms.reverse());
    await page.close();
  });

  test('zooms and moves by keys, buttons, wheel and mouse, and goes back', async () => {
    const { page, complaints } = await show();
    const all = await drawn(page);
    expect(await view(page)).toBe('0 s to 4 h');
    await page.focus('#error');
    await page.keyboard.press('+');
    expect(await view(page)).toBe('1 h to 3 h');
    expect(await drawn(page)).not.toBe(all);
    await page.keyboard.press('ArrowLeft');
    expect(await view(page)).toBe('30 min to 2 h 30 min');
    await page.getByRole('button', { name: 'all', exact: true }).click();
    expect(await view(page)).toBe('0 s to 4 h');
    const box = (await page.locator('#error').boundingBox())!;
    const [x, y] = [box.x + box.width / 2, box.y + 150];
    await page.mouse.move(x, y);
    await page.keyboard.down('Control');
    await page.mouse.wheel(0, -300);
    await page.keyboard.up('Control');
    await expect.poll(() => view(page), { timeout: 10_000 }).not.toBe('0 s to 4 h');
    const zoomed = await view(page);
    await page.mouse.down();
    await page.mouse.move(x - 120, y, { steps: 6 });
    await page.mouse.up();
    await expect.poll(() => view(page), { timeout: 10_000 }).not.toBe(zoomed);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('changes scale, panels, bounds, time axis and theme, and hides pipelines, without a complaint', async () => {
    const { page, complaints } = await show();
    const lines = page.locator('#error svg path');
    const before = await lines.count();
    await page.getByText('each its own', { exact: true }).click();
    await expect.poll(() => lines.count()).toBeGreaterThan(before);
    await page.getByText('linear', { exact: true }).click();
    await page.getByRole('button', { name: 'bare-clock' }).click();
    expect(await page.getByRole('button', { name: 'bare-clock' }).getAttribute('aria-pressed')).toBe('false');
    await page.selectOption('#focus', 'kalman-hold');
    await page.getByText('UTC', { exact: true }).click();
    expect(await view(page)).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC to /);
    await page.getByText('dark', { exact: true }).click();
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('dark');
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(complaints).toEqual([]);
    await page.close();
  });

  test('fits a phone, and paper', async () => {
    const { page, complaints } = await show('dark', 390);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await keepScreenshot(page, 'report-phone');
    expect(await accessibilityFaults(page)).toEqual([]);
    const pdf = await page.pdf({ format: 'A4' });
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    expect(complaints).toEqual([]);
    await page.close();
  });
});
