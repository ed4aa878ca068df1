/** Every view, at three widths in both themes: it is there, nothing is cut off, axe finds nothing. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { create, definition, feed } from '../http/app-harness.ts';
import { describePage, leave, type Site, startSite, useBrowser, visit } from './browser.ts';

const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
const WIDTHS = [360, 800, 1280];

/** Each view with a text that it has once its data are there. */
const VIEWS: readonly [hash: string, text: string | RegExp][] = [
  ['#/', 'one after the other'],
  ['#/nodes', 'One process, no cluster.'],
  ['#/nowhere', 'There is no such page'],
  ['#/pipelines/many', 'Where items were: cumulative flow'],
  ['#/pipelines/many/feeds', 'batch-2'],
  ['#/pipelines/many/feeds/batch-1', 'Known before'],
  ['#/pipelines/many/failures', 'failed items in'],
  ['#/pipelines/many/items', 'batch-2-29'],
  ['#/pipelines/many/items/batch-1-3', 'What happened'],
  ['#/pipelines/many/control', 'Shut down…'],
  ['#/pipelines/many/definition', 'As it is in force'],
  ['#/pipelines/many/changes', 'without a key'],
];

interface Violation {
  id: string;
  nodes: { html: string; failureSummary: string }[];
}

describePage('each view', () => {
  useBrowser();
  let site: Site;

  beforeAll(async () => {
    site = await startSite();
    await create(site, {
      id: 'many',
      description: 'one after the other',
      stages: [
        { name: 'Check', workers: 3, tasks: ['picky'] },
        { name: 'Hold', workers: 2, tasks: ['hold'], queueCapacity: 4 },
      ],
    });
    await create(site, definition('quiet'));
    for (const feedId of ['batch-1', 'batch-2']) {
      const items = Array.from({ length: 30 }, (_, i) => ({ id: `${feedId}-${i}`, value: i % 5 === 3 ? 'bad' : { number: i } }));
      await feed(site, 'many', items, { feedId });
    }
    await site.app.inject({ method: 'PATCH', url: '/pipelines/many/stages/Hold', payload: { workers: 4 } });
  });

  describe.each(['light', 'dark'] as const)('in the %s theme', (colorScheme) => {
    it.each(VIEWS)('fits and is accessible: %s', async (hash, text) => {
      const seen = await visit(site, hash, { colorScheme });
      const { page } = seen;
      await page.getByText(text).first().waitFor();
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        const over = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
        expect([width, Math.max(0, over)]).toEqual([width, 0]);
      }
      // Colours are the same at every width; each theme is looked at in one, the narrowest and the widest.
      await page.setViewportSize({ width: colorScheme === 'light' ? 360 : 1280, height: 900 });
      await page.evaluate(AXE);
      const violations = (await page.evaluate('axe.run().then(({ violations }) => violations)')) as Violation[];
      expect(violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)])).toEqual([]);
      expect(await page.title()).toContain('Sluice');
      await leave(seen);
    });
  });
});
