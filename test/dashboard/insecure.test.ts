/** The page over plain http at a name that is not localhost: to a browser no secure context, without Web Locks and digests. */
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { keysOf, secretOf } from '../http/access-harness.ts';
import { create, definition, feed, post, type ServiceOptions } from '../http/app-harness.ts';
import { describePage, leave, newContext, show, startSite, useBrowser, type Visit, visit } from './browser.ts';

const isStream = (url: string): boolean => new URL(url).pathname === '/events';
const streamsOf = ({ requested }: Visit): number => requested.filter(isStream).length;
const live = (page: Page) => page.getByRole('status').getByText('Live').waitFor();

async function startNamed(options: ServiceOptions = {}) {
  const site = await startSite({ ...options, allowedHosts: ['sluice.test'] });
  return { site, named: { url: `http://sluice.test:${site.port}` } };
}

describePage('without https, the page', () => {
  useBrowser();

  it('is live in each of two tabs, which have a stream each', async () => {
    const { site, named } = await startNamed();
    await create(site, definition('alpha', 'hold', { workers: 2 }));
    await feed(site, 'alpha', [1, 2, 3]);
    const context = await newContext();
    const tabs = await Promise.all([visit(named, '#/', { context }), visit(named, '#/pipelines/alpha', { context })]);
    const [{ page }, { page: other }] = tabs as [Visit, Visit];
    expect(await page.evaluate('[isSecureContext, typeof navigator.locks, typeof crypto.subtle]')).toEqual([
      false,
      'undefined',
      'undefined',
    ]);
    await Promise.all(tabs.map((tab) => live(tab.page)));
    await page.getByText('Only: all workers busy').waitFor();
    await other.locator('.cells i[data-mode="running"]').nth(1).waitFor();
    await post(site, '/pipelines/alpha/pause');
    await Promise.all([page.getByText('paused', { exact: true }).waitFor(), other.locator('.pipeline-head').getByText('paused').waitFor()]);
    expect(tabs.map((tab) => streamsOf(tab) > 0)).toEqual([true, true]);
    await leave(...tabs);
  });

  it('follows what it shows after it was hidden and shown in one go', async () => {
    const { site, named } = await startNamed();
    await create(site, definition('alpha', 'hold', { workers: 2 }));
    await feed(site, 'alpha', [1, 2]);
    const seen = await visit(named);
    const { page } = seen;
    await live(page);
    const again = page.waitForRequest((request) => isStream(request.url()));
    await page.evaluate(`${show('hidden')}; ${show('visible')}`);
    await again;
    await live(page);
    // What it shows from now on has to be in the stream: it opens another one.
    await page.getByRole('link', { name: 'alpha' }).click();
    await page.locator('.cells i[data-mode="running"]').nth(1).waitFor();
    expect(streamsOf(seen)).toBeGreaterThanOrEqual(3);
    await leave(seen);
  });

  it('asks for a key, and is live with it and with the next one', async () => {
    const { site, named } = await startNamed({ apiKeys: keysOf('one:read', 'two:read+operate') });
    await site.host.create({ id: 'alpha', stages: [{ name: 'Only', tasks: ['echo'] }] });
    const seen = await visit(named);
    const { page } = seen;
    for (const name of ['one', 'two']) {
      await page.getByLabel('Key').fill(secretOf(name));
      await page.getByRole('button', { name: 'Sign in' }).click();
      await live(page);
      await page.getByRole('link', { name: 'alpha' }).waitFor();
      await page.getByRole('button', { name: 'Sign out' }).click();
    }
    await leave(seen);
  });
});
