/** The filters of items, what is typed into them, and one item's timeline. */
import type { Page } from 'playwright-core';
import { beforeAll, expect, it } from 'vitest';
import { duration } from '../../dashboard/parts/words.ts';
import type { TaskDeclaration } from '../../src/engine/index.ts';
import { create, feed, get } from '../http/app-harness.ts';
import { describePage, leave, type Site, startSite, useBrowser, visit } from './browser.ts';

/** Fails so many times as its value says, and then passes. */
const stumbles: TaskDeclaration = {
  name: 'stumbles',
  kind: 'task',
  description: 'fails at first',
  paramsSchema: null,
  parseParams: () => undefined,
  run(value, { attempt }) {
    if (attempt <= Number(value)) throw new RangeError(`stumbled, ${attempt}`);
    return value;
  },
};
/** Holds what waits for the typing to rest until the test says that it does: `rest()`. */
const HOLD_RESTS = `{
  const [start, stop] = [setTimeout, clearTimeout];
  const held = new Map();
  globalThis.setTimeout = (work, ms, ...more) => (ms === 300 ? (held.set(-held.size - 1, work), -held.size) : start(work, ms, ...more));
  globalThis.clearTimeout = (id) => (held.has(id) ? held.set(id, () => {}) : stop(id));
  globalThis.rest = () => [...held.keys()].forEach((id) => { const work = held.get(id); held.set(id, () => {}); work(); });
}`;
const ids = (page: Page) => page.getByRole('rowheader').allTextContents();

describePage('items on the page', () => {
  useBrowser();
  let site: Site;
  beforeAll(async () => {
    site = await startSite({ tasks: [stumbles] });
    await create(site, {
      id: 'line',
      stages: [
        { name: 'First', tasks: [{ task: 'stumbles' }], taskAttempts: 3, taskWaitSeconds: 0.01 },
        { name: 'Second', tasks: ['picky'] },
      ],
    });
    await feed(
      site,
      'line',
      [0, 1, 2, 9].map((value) => ({ id: `n-${value}`, value })),
      { feedId: 'numbers' },
    );
    await feed(
      site,
      'line',
      [
        { id: 'b-1', value: 'bad' },
        { id: 'b-2', value: 0 },
      ],
      { feedId: 'others' },
    );
    for (const id of ['numbers', 'others']) await site.host.get('line').waitForFeed(id, {});
  });

  it('are filtered by stage, feed, type of error and attempts, alone and together', async () => {
    const seen = await visit(site, '#/pipelines/line/items');
    const { page } = seen;
    await page.getByText('6 items').waitFor();
    const fill = async (label: string, text: string) => {
      await page.getByLabel(label, { exact: true }).fill(text);
      await page.getByLabel(label, { exact: true }).press('Enter');
    };
    const clear = async () => {
      await page.getByRole('button', { name: 'Clear' }).click();
      await page.getByText('6 items').waitFor();
    };
    await page.getByRole('combobox', { name: 'Stage' }).selectOption('First');
    await page.getByText('1 item', { exact: true }).waitFor();
    expect(await ids(page)).toEqual(['n-9']);
    await clear();
    await fill('Feed', 'others');
    await page.getByText('2 items').waitFor();
    expect(await ids(page)).toEqual(['b-2', 'b-1']);
    await clear();
    await fill('Type of error', 'RangeError');
    await page.getByText('1 item', { exact: true }).waitFor();
    expect(await ids(page)).toEqual(['n-9']);
    await clear();
    await fill('Attempts, at least', '3');
    await page.getByText('3 items').waitFor();
    expect(await ids(page)).toEqual(['n-9', 'n-2', 'n-1']);
    await page.getByRole('combobox', { name: 'Stage' }).selectOption('Second');
    await page.getByText('2 items').waitFor();
    expect(await ids(page)).toEqual(['n-2', 'n-1']);
    expect(await page.evaluate('location.hash')).toBe('#/pipelines/line/items?attempts=3&stage=Second');
    await leave(seen);
  });

  it('keep a filter that is being typed, whatever else is chosen, drawn or cleared meanwhile', async () => {
    const seen = await visit(site, '#/pipelines/line/items', { script: HOLD_RESTS });
    const { page } = seen;
    await page.getByText('6 items').waitFor();
    const search = page.getByLabel('Id or message');
    await search.fill('n-');
    await page.getByLabel('Status').selectOption('completed');
    await page.getByText('4 items').waitFor();
    expect(await search.inputValue()).toBe('n-');
    await page.evaluate('rest()');
    await page.getByText('3 items').waitFor();
    expect(await page.evaluate('location.hash')).toBe('#/pipelines/line/items?status=completed&q=n-');
    await page.getByLabel('Feed', { exact: true }).fill('num');
    await page.getByRole('button', { name: 'Reload' }).click();
    await page.evaluate('rest()');
    expect(await page.evaluate('location.hash')).toBe('#/pipelines/line/items?status=completed&q=n-&feed=num');
    await search.fill('nothing');
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByText('6 items').waitFor();
    await page.evaluate('rest()');
    expect(await page.evaluate('location.hash')).toBe('#/pipelines/line/items');
    await leave(seen);
  });

  it('are left for one of them before the typing rests', async () => {
    const seen = await visit(site, '#/pipelines/line/items', { script: HOLD_RESTS });
    const { page } = seen;
    await page.getByText('6 items').waitFor();
    await page.getByLabel('Id or message').fill('n-');
    await page.getByRole('link', { name: 'n-1' }).click();
    await page.getByRole('heading', { name: 'n-1' }).waitFor();
    await page.evaluate('rest()');
    await page.getByRole('heading', { name: 'What happened' }).waitFor();
    expect(await page.evaluate('location.hash')).toBe('#/pipelines/line/items/n-1');
    await leave(seen);
  });

  it('have a timeline with each attempt, how long it took and how it failed', async () => {
    const { history } = (await get(site, '/pipelines/line/items/n-2')).json();
    const seen = await visit(site, '#/pipelines/line/items/n-2');
    const rows = seen.page.locator('.timeline li');
    await rows.nth(history.length - 1).waitFor();
    const shown = await rows.evaluateAll((all) => all.map((row) => [...row.children].slice(1).map(({ textContent }) => textContent)));
    const attempts = shown.filter(([what]) => what?.startsWith('in progress First'));
    expect(attempts).toHaveLength(3);
    expect(shown.map(([, took]) => took)).toEqual(
      history.map(({ timestamp }: { timestamp: string }, i: number) =>
        i + 1 === history.length ? '' : duration((Date.parse(history[i + 1].timestamp) - Date.parse(timestamp)) / 1000),
      ),
    );
    expect(shown.flatMap(([what]) => /stumbled, \d/.exec(what ?? '') ?? [])).toEqual(['stumbled, 1', 'stumbled, 2']);
    await leave(seen);
  });
});
