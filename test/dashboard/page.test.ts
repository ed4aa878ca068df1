/** The page as a whole: how it is served, who may see what, and the one stream of all tabs. */
import { expect, it } from 'vitest';
import { keysOf, secretOf } from '../http/access-harness.ts';
import { create, definition, feed, post } from '../http/app-harness.ts';
import { describePage, leave, newContext, show, startSite, useBrowser, visit } from './browser.ts';

describePage('the page', () => {
  useBrowser();

  it('shows all pipelines from one request and one stream, and what changes as it does', async () => {
    const site = await startSite();
    await create(site, definition('alpha', 'hold', { workers: 2 }));
    await create(site, definition('beta'));
    await feed(site, 'alpha', [1, 2, 3, 4, 5]);
    const seen = await visit(site);
    const row = (id: string) => seen.page.getByRole('row').filter({ has: seen.page.getByRole('link', { name: id, exact: true }) });
    await row('alpha').getByText('running').waitFor();
    await row('alpha').getByText('Only: all workers busy').waitFor();
    await row('beta').getByText('nothing').waitFor();
    await post(site, '/pipelines/beta/pause');
    await row('beta').getByText('paused').waitFor();
    const data = seen.requested.map((url) => new URL(url)).filter(({ pathname }) => !pathname.startsWith('/assets/') && pathname !== '/');
    expect(data.map(({ pathname }) => pathname).sort()).toEqual(['/events', '/pipelines', '/whoami']);
    expect(new Set(seen.requested.map((url) => new URL(url).origin))).toEqual(new Set([site.url]));
    await leave(seen);
  });

  it('shows markup as the text that it is, and lets in no script', async () => {
    const site = await startSite();
    await create(site, { ...definition('alpha', 'fail'), description: '<img src=x onerror="globalThis.hit = 1">' });
    await feed(site, 'alpha', [{ id: '<b>bold</b>', value: '<script>globalThis.hit = 1</script>' }]);
    const seen = await visit(site, '#/pipelines/alpha/failures');
    const { page } = seen;
    await page.getByText('no "<script>').waitFor();
    await page.getByText('<img src=x').waitFor();
    await page.getByRole('link', { name: '<b>bold</b>' }).waitFor();
    expect(await page.evaluate('globalThis.hit')).toBeUndefined();
    const refusal = await page.evaluate("(() => { try { document.body.innerHTML = '<p>'; } catch (error) { return error.name; } })()");
    expect(refusal).toBe('TypeError');
    // The browser has told of it, as it should have.
    expect(seen.complaints.splice(0).join()).toMatch(/TrustedHTML/);
    await leave(seen);
  });

  it('asks for a key where there are keys, says when it is wrong, and forgets it', async () => {
    const site = await startSite({ apiKeys: keysOf('reader:read') });
    await create(site, definition('alpha'));
    const seen = await visit(site);
    const { page } = seen;
    await page.getByLabel('Key').fill('slc_reader_ffffffffffffffff');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('does not know this key').waitFor();
    await page.getByLabel('Key').fill(secretOf('reader'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Pipelines' }).waitFor();
    await page.reload();
    await page.getByRole('heading', { name: 'Pipelines' }).waitFor();
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByLabel('Key').waitFor();
    expect(await page.evaluate('sessionStorage.length + document.cookie.length')).toBe(0);
    await leave(seen);
  });

  it('keeps no key that the service has not taken, and says what none can hold', async () => {
    const site = await startSite({ apiKeys: keysOf('reader:read') });
    const seen = await visit(site);
    const { page } = seen;
    const stored = () => page.evaluate('sessionStorage.length');
    for (const [typed, odd] of [
      ['slc_чтец_0123', 'ч'],
      ['slc_reader_🔑', '🔑'],
      ['slc reader', ' '],
    ] as const) {
      await page.getByLabel('Key').fill(typed);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('alert').getByText(`it holds “${odd}”`).waitFor();
      expect(await stored()).toBe(0);
    }
    // Nor one that was sent while the service could not be reached.
    await page.route('**/whoami', (route) => route.abort());
    await page.getByLabel('Key').fill(secretOf('reader'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('alert').getByText('cannot be reached').waitFor();
    expect(await stored()).toBe(0);
    await page.unroute('**/whoami');
    await page.reload();
    await page.getByLabel('Key').fill(secretOf('reader'));
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('heading', { name: 'Pipelines' }).waitFor();
    expect(await stored()).toBe(1);
    await leave(seen);
  });

  it('has one stream for all tabs, which the next tab takes over where it was', async () => {
    const site = await startSite();
    await create(site, definition('alpha', 'hold'));
    const context = await newContext();
    // A browser has six connections to an origin: with a stream each, the seventh would not load.
    const tabs = await Promise.all(Array.from({ length: 7 }, () => visit(site, '#/', { context })));
    await Promise.all(tabs.map(({ page }) => page.getByRole('status').getByText('Live').waitFor()));
    const streams = () => tabs.map(({ requested }) => requested.filter((url) => new URL(url).pathname === '/events').length);
    expect(streams().reduce((sum, count) => sum + count)).toBe(1);
    expect(site.app.server.listening).toBe(true);
    const leader = streams().indexOf(1);
    await tabs[leader]?.page.close();
    const others = tabs.filter((_, i) => i !== leader);
    await post(site, '/pipelines/alpha/pause');
    await Promise.all(others.map(({ page }) => page.getByText('paused').waitFor()));
    expect(others.flatMap(({ requested }) => requested.filter((url) => new URL(url).pathname === '/events'))).toHaveLength(1);
    await leave(...tabs);
  });

  it('is live again after the service was gone', async () => {
    const first = await startSite();
    await create(first, definition('alpha'));
    const seen = await visit(first);
    await seen.page.getByRole('status').getByText('Live').waitFor();
    await first[Symbol.asyncDispose]();
    await seen.page.getByRole('status').getByText('No connection').waitFor();
    const second = await startSite({ port: first.port });
    await create(second, definition('omega'));
    await seen.page.getByRole('link', { name: 'omega' }).waitFor();
    await seen.page.getByRole('status').getByText('Live').waitFor();
    await leave(seen);
  });

  it('has no stream while nobody looks, and goes on after the last event when somebody does', async () => {
    const site = await startSite();
    await create(site, definition('alpha'));
    const seen = await visit(site);
    const { page } = seen;
    await page.getByRole('status').getByText('Live').waitFor();
    await post(site, '/pipelines/alpha/pause');
    await page.getByText('paused').waitFor();
    const ended = page.waitForEvent('requestfailed', (request) => isStream(request.url()));
    await page.evaluate(show('hidden'));
    await ended;
    await post(site, '/pipelines/alpha/resume');
    const again = page.waitForRequest((request) => isStream(request.url()));
    await page.evaluate(show('visible'));
    expect((await again).headers()['last-event-id']).toMatch(/^\w+-\d+$/);
    await page.getByText('running').waitFor();
    await leave(seen);
  });

  it('opens a new stream when the machine has slept', async () => {
    const site = await startSite();
    await create(site, definition('alpha'));
    const context = await newContext();
    await context.clock.install();
    const seen = await visit(site, '#/', { context });
    await seen.page.getByRole('status').getByText('Live').waitFor();
    const again = seen.page.waitForRequest((request) => isStream(request.url()));
    await context.clock.fastForward('10:00');
    await again;
    await seen.page.getByRole('status').getByText('Live').waitFor();
    await leave(seen);
  });
});

const isStream = (url: string): boolean => new URL(url).pathname === '/events';
