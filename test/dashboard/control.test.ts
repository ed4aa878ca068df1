/** Limiters by slider, and what one sees of nodes and hands. */
import { expect, it } from 'vitest';
import type { HandsView } from '../../dashboard/state/types.ts';
import { create, get } from '../http/app-harness.ts';
import { describePage, leave, startSite, useBrowser, visit } from './browser.ts';

const limited = {
  id: 'line',
  limits: { slow: { limit: 0.5, perSeconds: 1, concurrency: 2 } },
  stages: [{ name: 'Only', tasks: [{ task: 'echo', limiter: 'slow' }] }],
};

describePage('with the page one', () => {
  useBrowser();

  it('sets a limiter by slider and by hand, also between whole numbers, and goes back to its definition', async () => {
    const site = await startSite();
    await create(site, limited);
    const settings = async () => (await get(site, '/limiters')).json().limiters[0].settings;
    const seen = await visit(site, '#/pipelines/line/control');
    const { page } = seen;
    const card = page.getByRole('region', { name: /^Limiter/ });
    const rate = card.getByLabel('Per 1 s', { exact: true });
    const slider = card.getByRole('slider', { name: 'Per 1 s, slider' });
    await card.getByText('0 in use').waitFor();
    expect([await rate.inputValue(), await slider.inputValue()]).toEqual(['0.5', '0.5']);
    for (const [typed, limit] of [
      ['0.25', 0.25],
      ['3', 3],
      ['0.001', 0.001],
    ] as const) {
      await rate.fill(typed);
      const told = page.waitForResponse((response) => response.request().method() === 'PATCH');
      const read = page.waitForResponse((response) => response.request().method() === 'GET' && response.url().endsWith('/limiters'));
      await rate.press('Enter');
      expect((await (await told).json()).settings).toMatchObject({ limit, perSeconds: 1, concurrency: 2 });
      await (await read).finished();
      await card.getByText('defined: 0.5').waitFor();
    }
    // What is typed outlasts what is read meanwhile.
    await rate.fill('0.7');
    const next = await page.waitForRequest((request) => request.url().endsWith('/limiters'));
    await (await next.response())?.finished();
    expect(await rate.inputValue()).toBe('0.7');
    await rate.fill('0.001');
    // What is no rate is not left standing.
    for (const typed of ['0', '-1', '']) {
      await rate.fill(typed);
      await rate.press('Enter');
      expect(await rate.inputValue()).toBe('0.001');
    }
    await card.getByRole('button', { name: 'Reset to definition' }).click();
    await card.getByText('as defined').nth(1).waitFor();
    await slider.focus();
    const moved = page.waitForResponse((response) => response.request().method() === 'PATCH');
    await page.keyboard.press('ArrowRight');
    expect((await (await moved).json()).settings.limit).toBe(0.51);
    const concurrency = card.getByRole('slider', { name: 'At one time, slider' });
    await concurrency.focus();
    await page.keyboard.press('ArrowRight');
    await card.getByText('defined: 2', { exact: true }).waitFor();
    expect(await settings()).toMatchObject({ limit: 0.51, concurrency: 3 });
    await leave(seen);
  });

  it('ends the hold of a limiter', async () => {
    const site = await startSite();
    await create(site, limited);
    const pass = await site.host.limiters
      .find('slow')
      ?.claim({ value: null, metadata: {}, priority: 100 }, new AbortController().signal, true).pass;
    pass?.hold(200);
    const seen = await visit(site, '#/pipelines/line/control');
    const button = seen.page.getByRole('button', { name: 'End its hold' });
    await button.click();
    await button.waitFor({ state: 'detached' });
    expect((await get(site, '/limiters')).json().limiters[0].heldUntil).toBeNull();
    pass?.release();
    await leave(seen);
  });

  it('sees each hand with what it runs, and what waits for one', async () => {
    const hand = { missing: [], since: new Date(Date.now() - 3 * 86_400_000).toISOString(), fault: null, leaving: false, version: '9.8.7' };
    const view: HandsView = {
      hands: [
        { ...hand, name: 'strong', tasks: ['shrink', 'http_request'], running: 3, capacity: 8 },
        { ...hand, name: 'odd', tasks: ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'], running: 0, capacity: 2, fault: 'it has another version' },
        { ...hand, name: 'last', tasks: [], running: 1, capacity: 1, leaving: true },
      ],
      waiting: [{ task: 'grow', kind: 'task', calls: 12, why: 'No hand has it.' }],
    };
    const site = await startSite({
      hands: { view: () => view, measure: () => null, accept: (_, socket) => void socket.destroy(), close: async () => undefined },
    });
    const seen = await visit(site, '#/nodes');
    const { page } = seen;
    const rowOf = (name: string) =>
      page
        .getByRole('row', { name: `${name} 9.8.7` })
        .getByRole('cell')
        .allTextContents();
    await page.getByText('grow: 12 wait. No hand has it.').waitFor();
    expect(await rowOf('strong')).toEqual(['at work', '3', '8', '3 d', 'shrink, http_request']);
    expect(await rowOf('odd')).toEqual(['it has another version', '0', '2', '3 d', 'a, b, c, d, e, f and 2 more']);
    expect(await rowOf('last')).toEqual(['leaving', '1', '1', '3 d', '']);
    await leave(seen);
  });
});
