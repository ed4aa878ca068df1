/** What one does with the page: feed, follow, tune, change a definition, pause; and what it offers to whom. */
import { readFile } from 'node:fs/promises';
import type { Page, Route } from 'playwright-core';
import { beforeEach, expect, it } from 'vitest';
import { keysOf, secretOf } from '../http/access-harness.ts';
import { create, definition, feed } from '../http/app-harness.ts';
import { describePage, leave, type Site, startSite, useBrowser, visit } from './browser.ts';

async function downloaded(page: Page, button: string): Promise<string> {
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).click()]);
  return readFile(await download.path(), 'utf8');
}

describePage('with the page one', () => {
  useBrowser();
  let site: Site;
  beforeEach(async () => {
    site = await startSite();
    await create(site, { id: 'line', stages: [{ name: 'Only', workers: 2, tasks: ['picky'] }] });
  });

  it('pastes CSV, follows the feed to its end, and downloads what came of it', async () => {
    const seen = await visit(site, '#/pipelines/line/feeds');
    const { page } = seen;
    await page.getByLabel(/paste or drop/).fill('id,text\n9007199254740993,"=1+1, no"\nb,plain');
    await page.getByText('CSV, 2 items.').waitFor();
    await page.getByLabel('Name of the feed').fill('pasted');
    await page.getByRole('button', { name: 'Feed 2 items' }).click();
    await page.getByText(/and done/).waitFor();
    expect(await page.evaluate('location.hash')).toBe('#/pipelines/line/feeds/pasted');
    const rows = (await downloaded(page, 'Results as CSV')).split('\r\n');
    // A spreadsheet is not to take it for a formula.
    expect(rows).toEqual(['id,text', '9007199254740993,"\'=1+1, no"', 'b,plain', '']);
    const lines = (await downloaded(page, 'Results as NDJSON')).trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('"id":"9007199254740993"');
    await leave(seen);
  });

  it('chooses a file, whose failures can be downloaded', async () => {
    const seen = await visit(site, '#/pipelines/line/feeds');
    const { page } = seen;
    const buffer = Buffer.from('{"id": "x", "value": "bad"}\n{"id": "y", "value": "good"}\n');
    await page.getByLabel('Choose a file').setInputFiles({ name: 'two lines.ndjson', mimeType: 'application/x-ndjson', buffer });
    await page.getByText('NDJSON, 2 items.').waitFor();
    expect(await page.getByLabel('Name of the feed').inputValue()).toBe('two-lines.ndjson');
    await page.getByRole('button', { name: 'Feed 2 items' }).click();
    const failures = JSON.parse(await downloaded(page, 'Failures as NDJSON'));
    expect(failures).toMatchObject({ id: 'x', input: 'bad', error: { message: 'it is bad' } });
    await leave(seen);
  });

  it('is told the line of what cannot be read, and cannot feed it', async () => {
    const seen = await visit(site, '#/pipelines/line/feeds');
    await seen.page.getByLabel(/paste or drop/).fill('{"id": 1}\n{"id": }');
    await seen.page.getByRole('alert').getByText('line 2: is not valid JSON').waitFor();
    expect(await seen.page.getByRole('button', { name: 'Feed', exact: true }).isDisabled()).toBe(true);
    await leave(seen);
  });

  it('sees failures by what they have in common, retries exactly a group after its count, and downloads one', async () => {
    const bad = Array.from({ length: 12 }, (_, i) => ({ id: `bad-${i}`, value: 'bad' }));
    await create(site, definition('odd', 'fail'));
    await feed(site, 'line', bad);
    await feed(site, 'odd', [
      { id: 'number', value: 7 },
      { id: 'text', value: 'seven' },
      { id: 'other', value: 9 },
    ]);
    const seen = await visit(site, '#/pipelines/line/failures');
    const { page } = seen;
    await page.getByText('12 failed items in 1 group').waitFor();
    await page.getByText('it is bad').waitFor();
    const saved = (await downloaded(page, 'Download as NDJSON')).trimEnd().split('\n');
    expect(saved.map((line) => JSON.parse(line).input)).toEqual(bad.map(({ value }) => value));
    const table = (await downloaded(page, 'Download as CSV')).trimEnd().split('\r\n');
    expect(table).toEqual(['id,value,error', ...bad.map(({ id }) => `${id},bad,Only: it is bad`)]);
    await page.getByRole('button', { name: 'Cancel retries…' }).click();
    await page.getByRole('dialog').getByText('Cancel 0 items?').waitFor();
    expect(await page.getByRole('dialog').getByRole('button', { name: 'Cancel 0' }).isDisabled()).toBe(true);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Retry…' }).click();
    await page.getByRole('dialog').getByText('Retry 12 items?').waitFor();
    const retried = page.waitForResponse(
      (response) => response.url().endsWith('/retry') && response.request().postData()?.includes('dryRun') === false,
    );
    await page.getByRole('dialog').getByRole('button', { name: 'Retry 12' }).click();
    expect(await (await retried).json()).toEqual({ retried: 12 });
    // Numbers and quoted parts are folded.
    await page.goto(`${site.url}/#/pipelines/odd/failures`);
    await page.getByText('3 failed items in 2 groups').waitFor();
    await leave(seen);
  });

  it('finds items by a part of their message, newest first, and gets back to all of them', async () => {
    await feed(
      site,
      'line',
      Array.from({ length: 300 }, (_, i) => ({ id: `it-${i}`, value: i % 100 === 7 ? 'bad' : i })),
      { feedId: 'many' },
    );
    await site.host.get('line').waitForFeed('many', {});
    const seen = await visit(site, '#/pipelines/line/items');
    const { page } = seen;
    await page.getByRole('row').nth(1).getByText('it-299').waitFor();
    expect(await page.getByRole('row').count()).toBeLessThan(60);
    await page.getByLabel('Id or message').fill('IS BAD');
    await page.getByText('3 items').waitFor();
    expect(await page.getByRole('rowheader').allTextContents()).toEqual(['it-207', 'it-107', 'it-7']);
    expect(await page.evaluate('location.hash')).toBe('#/pipelines/line/items?q=IS+BAD');
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByRole('row').nth(1).getByText('it-299').waitFor();
    await leave(seen);
  });

  it('looks at an item of 3 MB by its beginning, and saves the whole', async () => {
    const text = 'x'.repeat(3_000_000);
    const line = `{"id": "big", "value": {"text": "${text}"}}`;
    const roomy = await startSite({ bodyLimitBytes: 10_000_000 });
    await create(roomy, { id: 'line', stages: [{ name: 'Only', workers: 2, tasks: ['echo'] }] });
    const url = '/pipelines/line/feed?feedId=f';
    const fed = await roomy.app.inject({ method: 'POST', url, headers: { 'content-type': 'application/x-ndjson' }, payload: line });
    expect(fed.statusCode).toBe(202);
    await roomy.host.get('line').waitForFeed('f', {});
    const seen = await visit(roomy, '#/pipelines/line/items/big');
    const { page } = seen;
    await page.getByText('3 MB, of which this is the beginning').waitFor();
    expect((await page.locator('pre').first().textContent())?.length).toBeLessThan(5000);
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download' }).click()]);
    expect(JSON.parse(await readFile(await download.path(), 'utf8'))).toMatchObject({ text });
    await leave(seen);
  });

  it('reads who did what', async () => {
    const guarded = await startSite({ apiKeys: keysOf('boss:admin') });
    await createLine(guarded);
    const headers = { authorization: `Bearer ${secretOf('boss')}` };
    await guarded.app.inject({ method: 'PATCH', url: '/pipelines/line/stages/Only', headers, payload: { workers: 3 } });
    const seen = await visit(guarded, '#/pipelines/line/changes');
    const { page } = seen;
    await page.getByLabel('Key').fill(secretOf('boss'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('row').filter({ hasText: 'boss' }).getByText('workers: 2 → 3').waitFor();
    // Live: what is done while one looks comes at the top.
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByRole('row').nth(1).getByText('state: running → paused').waitFor();
    await leave(seen);
  });

  it('tunes workers by slider, sees what it does, and goes back to the definition', async () => {
    const seen = await visit(site, '#/pipelines/line/control');
    const { page } = seen;
    const slider = page.getByRole('slider', { name: 'Workers, slider' });
    await slider.focus();
    await page.keyboard.press('ArrowRight');
    await page.getByText('defined: 2').waitFor();
    await page.getByText(/0 blocked, 3 idle/).waitFor();
    expect((await site.host.get('line').describe()).overrides).toEqual({ Only: { workers: 3 } });
    await page.getByRole('button', { name: 'Reset to definition' }).click();
    await page.getByText(/0 blocked, 2 idle/).waitFor();
    expect(await slider.inputValue()).toBe('2');
    await leave(seen);
  });

  it('changes the definition: faults by line as one types, what would change before it does', async () => {
    const seen = await visit(site, '#/pipelines/line/definition');
    const { page } = seen;
    const editor = page.getByLabel('Definition', { exact: true });
    const text = await editor.inputValue();
    await editor.fill(text.replace('workers: 2', 'workers: -2'));
    await page.getByText(/^Line \d+, column \d+:/).waitFor();
    expect(await page.getByRole('button', { name: 'Apply…' }).isDisabled()).toBe(true);
    await editor.fill(text.replace('workers: 2', 'workers: 5'));
    await page.getByText('Only: workers').waitFor();
    expect((await site.host.get('line').describe()).definition.stages[0]?.workers).toBe(2);
    await page.getByRole('button', { name: 'Apply…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Apply', exact: true }).click();
    await page.getByText('Applied: Only: workers.').waitFor();
    expect((await site.host.get('line').describe()).definition.stages[0]?.workers).toBe(5);
    await editor.fill(`${text.replace('workers: 2', 'workers: 5')}\nretention:\n  maxItems: 7\n`);
    await page.getByText('the pipeline: retention').waitFor();
    await leave(seen);
  });

  it('applies no definition that was checked before the last letter was typed', async () => {
    const seen = await visit(site, '#/pipelines/line/definition');
    const { page } = seen;
    const editor = page.getByLabel('Definition', { exact: true });
    const apply = page.getByRole('button', { name: 'Apply…' });
    const text = await editor.inputValue();
    await editor.fill(text.replace('workers: 2', 'workers: 5'));
    await page.getByText('Only: workers').waitFor();
    const asked = Promise.withResolvers<Route>();
    await page.route('**/pipelines/validate?*', (route) => asked.resolve(route));
    await editor.fill(text.replace('workers: 2', 'workers: 7'));
    const late = await asked.promise;
    expect([await apply.isDisabled(), await page.getByText('Only: workers').count()]).toEqual([true, 0]);
    await late.abort();
    await page.getByRole('heading', { name: 'Not checked' }).waitFor();
    expect(await apply.isDisabled()).toBe(true);
    // The next one is as good as ever.
    await page.unroute('**/pipelines/validate?*');
    await editor.fill(text.replace('workers: 2', 'workers: 9'));
    await page.getByText('Only: workers').waitFor();
    await apply.click();
    await page.getByRole('dialog').getByRole('button', { name: 'Apply', exact: true }).click();
    await page.getByText('Applied: Only: workers.').waitFor();
    expect((await site.host.get('line').describe()).definition.stages[0]?.workers).toBe(9);
    await leave(seen);
  });

  it('drops a file, whose body says how it is fed and what is left out', async () => {
    await create(site, {
      id: 'two',
      stages: [
        { name: 'First', tasks: ['fail'] },
        { name: 'Second', tasks: ['echo'] },
      ],
    });
    const seen = await visit(site, '#/pipelines/two/feeds');
    const { page } = seen;
    const form = page.locator('form.feed-form');
    await form.waitFor();
    const body = { meta: { items: [9] }, items: [{ id: 'a', value: 1 }], targetStage: 'Second', priority: 7 };
    await page.evaluate(`{
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([${JSON.stringify(JSON.stringify(body))}], 'a body.json'));
      for (const type of ['dragover', 'drop']) document.querySelector('form.feed-form').dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    }`);
    await form.getByText('JSON, 1 item.').waitFor();
    await form.getByText('Left out: meta').waitFor();
    expect(await form.getByLabel('Begins at').inputValue()).toBe('Second');
    expect(await form.getByLabel('Priority').inputValue()).toBe('7');
    await form.getByRole('button', { name: 'Feed 1 item' }).click();
    await page.getByText(/and done/).waitFor();
    expect(await page.evaluate('location.hash')).toBe('#/pipelines/two/feeds/a-body.json');
    expect((await site.app.inject('/pipelines/two/items/a')).json()).toMatchObject({
      status: 'completed',
      priority: 7,
      feedId: 'a-body.json',
    });
    await leave(seen);
  });

  it('pauses and resumes, and shuts down with a report', async () => {
    await create(site, definition('held', 'hold'));
    await feed(site, 'held', [1, 2, 3]);
    const seen = await visit(site, '#/pipelines/held/control');
    const { page } = seen;
    const header = page.locator('.pipeline-head');
    await header.getByRole('button', { name: 'Pause' }).click();
    await header.getByText('paused').waitFor();
    await header.getByRole('button', { name: 'Resume' }).click();
    await header.getByText('running').waitFor();
    await page.getByLabel('How').selectOption('Force');
    await page.getByRole('button', { name: 'Shut down…' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Shut down', exact: true }).click();
    await page.getByText('Stopped (force): 0 items finished, 3 left in the queue, 1 task aborted.').waitFor();
    await header.getByText('stopped').waitFor();
    await leave(seen);
  });

  it('says by keyboard what each worker does, and reads what holds the pipeline up', async () => {
    await create(site, definition('held', 'hold', { workers: 2 }));
    await feed(site, 'held', [{ id: 'first' }, { id: 'second' }, { id: 'third' }]);
    const seen = await visit(site, '#/pipelines/held');
    const { page } = seen;
    await page.getByText('Only is held up by its workers: all 2 are busy. More workers would help.').waitFor();
    await page.locator('.cells i[data-mode="running"]').nth(1).waitFor();
    await page.locator('.cells').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await page.getByText(/^Only-W1.*second/).waitFor();
    site.release();
    await page.getByText('Nothing to do.').waitFor();
    await leave(seen);
  });

  it('shows the last change when pages before it hold none, and says how far it has looked', async () => {
    await site.app.inject({ method: 'POST', url: '/pipelines/line/pause' });
    const seen = await visit(site, '#/pipelines/line');
    const { page } = seen;
    let pages = 0;
    // As where a great many events are newer than the change.
    await page.route('**/audit?*', async (route) => {
      const cursor = new URL(route.request().url()).searchParams.get('cursor');
      if (++pages % 4 === 0)
        return route.continue({
          url: route
            .request()
            .url()
            .replace(/&cursor=[^&]*/, ''),
        });
      return route.fulfill({ json: { changes: [], nextCursor: `${cursor ?? ''}x` } });
    });
    await page.getByRole('link', { name: 'Changes' }).click();
    await page.getByRole('row', { name: /paused/ }).waitFor();
    expect(pages).toBe(4);
    await page.route('**/audit?*', (route) => route.fulfill({ json: { changes: [], nextCursor: 'x' } }));
    await page.reload();
    await page.getByText('Nobody has changed anything of late.').waitFor();
    await leave(seen);
  });

  it('is offered what the key may do, and no more', async () => {
    const guarded = await startSite({ apiKeys: keysOf('reader:read', 'operator:read+operate') });
    await createLine(guarded);
    for (const [key, buttons] of [
      ['reader', []],
      ['operator', ['Pause']],
    ] as const) {
      const seen = await visit(guarded, '#/pipelines/line/control');
      const { page } = seen;
      await page.getByLabel('Key').fill(secretOf(key));
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText(/0 blocked, 2 idle/).waitFor();
      expect(await page.locator('.pipeline-head').getByRole('button').allTextContents()).toEqual(buttons);
      expect(await page.getByRole('slider').first().isEnabled()).toBe(key === 'operator');
      expect(await page.getByRole('button', { name: 'Shut down…' }).count()).toBe(0);
      await page.getByRole('link', { name: 'Feeds' }).click();
      await page.getByRole('link', { name: 'Feeds' }).and(page.locator('[aria-current]')).waitFor();
      expect(await page.getByLabel(/paste or drop/).count()).toBe(0);
      await leave(seen);
    }
  });
});

/** Keys that may create are none of this test's. */
async function createLine({ host }: Site): Promise<void> {
  await host.create({ id: 'line', stages: [{ name: 'Only', workers: 2, tasks: ['picky'] }] });
}
