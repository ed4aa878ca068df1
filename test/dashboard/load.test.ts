/**
 * The page beside a thousand workers and thousands of events a second. Time is that of the thread (CPU), so that a busy machine changes nothing.
 *
 *   PAGE_LOAD_SECONDS=600 npx vitest run test/dashboard/load.test.ts
 */
import type { CDPSession } from 'playwright-core';
import { expect, it, onTestFinished } from 'vitest';
import type { TaskDeclaration } from '../../src/engine/index.ts';
import { create, feed } from '../http/app-harness.ts';
import { describePage, leave, startSite, useBrowser, visit } from './browser.ts';

const SECONDS = Number(process.env.PAGE_LOAD_SECONDS ?? 6);
const WORKERS = 1000;
const EVENTS_PER_SECOND = 2000;
/** An item is queued, begins, and is done. */
const EVENTS_PER_ITEM = 3;
const ITEMS_PER_SECOND = EVENTS_PER_SECOND / EVENTS_PER_ITEM;
/** Half of the workers have an item at any time, so that each event is a cell that changes. */
const NAP_SECONDS = WORKERS / 2 / ITEMS_PER_SECOND;
const FRAME_MS_MAX = 8;
/** Ten minutes may not add more; garbage is collected before each reading. */
const GROWTH_BYTES_MAX = 1_500_000;

const nap: TaskDeclaration = {
  name: 'nap',
  kind: 'task',
  description: 'takes a while',
  paramsSchema: null,
  parseParams: () => undefined,
  run: (value) => new Promise((resolve) => setTimeout(resolve, NAP_SECONDS * 1000, value)),
};

async function metricsOf(client: CDPSession): Promise<Record<string, number>> {
  const { metrics } = (await client.send('Performance.getMetrics')) as { metrics: { name: string; value: number }[] };
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}

async function heapOf(client: CDPSession): Promise<number> {
  await client.send('HeapProfiler.collectGarbage');
  return (await metricsOf(client)).JSHeapUsedSize as number;
}

/** Resolves with the number of frames that were drawn, after so many seconds. */
const frames = (seconds: number): string => `new Promise((resolve) => {
  const end = performance.now() + ${seconds * 1000};
  let count = 0;
  const next = (now) => { count++; if (now < end) requestAnimationFrame(next); else resolve(count); };
  requestAnimationFrame(next);
})`;

/** Counts the cells that change, so that a picture that stands still is found out. */
const COUNT_CHANGES = `globalThis.cellChanges = 0;
new MutationObserver((records) => { cellChanges += records.length; }).observe(document.querySelector('.cells'), { subtree: true, attributeFilter: ['data-mode'] })`;

describePage('the picture of a pipeline', () => {
  useBrowser();

  it(
    'takes less than 8 ms of a frame with 1000 workers and 2000 events a second, and holds on to nothing',
    async () => {
      const site = await startSite({ tasks: [nap], backlogCapacity: 1_000_000, bounds: {}, limits: {} });
      await create(site, { id: 'wide', stages: [{ name: 'Nap', workers: WORKERS, tasks: ['nap'] }], retention: { maxItems: 20_000 } });
      // What is due by now: a machine that is late makes no difference.
      const since = performance.now();
      let fed = 0;
      const feeder = setInterval(() => {
        const due = Math.floor(((performance.now() - since) / 1000) * ITEMS_PER_SECOND) - fed;
        fed += due;
        if (due > 0) void feed(site, 'wide', new Array(due).fill(0));
      }, 20);
      onTestFinished(() => clearInterval(feeder));
      const seen = await visit(site, '#/pipelines/wide');
      const client = await seen.context.newCDPSession(seen.page);
      await client.send('Performance.enable', { timeDomain: 'threadTicks' });
      await seen.page
        .locator('.cells i[data-mode="running"]')
        .nth(WORKERS / 4)
        .waitFor();
      await seen.page.evaluate(COUNT_CHANGES);
      // What is compiled and laid out once, and the history of the first minute, are no growth.
      await seen.page.evaluate(frames(2));
      const heapBefore = await heapOf(client);
      const before = await metricsOf(client);
      const processedBefore = (await site.host.get('wide').stats()).itemsProcessed;
      const drawn = Number(await seen.page.evaluate(frames(SECONDS)));
      const after = await metricsOf(client);
      const events = ((await site.host.get('wide').stats()).itemsProcessed - processedBefore) * EVENTS_PER_ITEM;
      const changes = Number(await seen.page.evaluate('cellChanges'));
      const growth = (await heapOf(client)) - heapBefore;
      const frameMs = (((after.TaskDuration as number) - (before.TaskDuration as number)) * 1000) / drawn;
      process.stdout.write(
        `${drawn} frames with ${Math.round(events / SECONDS)} events and ${Math.round(changes / SECONDS)} changed cells a second for ${SECONDS} s: ${frameMs.toFixed(2)} ms a frame, heap ${Math.round(growth / 1000)} kB more than ${Math.round(heapBefore / 1000)} kB\n`,
      );
      // Not in vain: events came, and cells changed with them.
      expect(events / SECONDS).toBeGreaterThan(300);
      expect(changes / SECONDS).toBeGreaterThan(100);
      expect(frameMs).toBeLessThan(FRAME_MS_MAX);
      expect(growth).toBeLessThan(GROWTH_BYTES_MAX);
      await leave(seen);
    },
    (SECONDS + 60) * 1000,
  );
});
