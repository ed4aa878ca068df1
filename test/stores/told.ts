import { expect } from 'vitest';
import type { PipelineRuntime } from '../../src/engine/index.ts';
import type { PipelineResult } from '../../src/schemas/item.ts';
import { EVERYTHING } from '../conformance/world.ts';

const ENDS = ['completed', 'failed', 'cancelled'];

/** Whoever looks at a pipeline, or an item of it, now; and what is told of it then. */
type Look = (p: PipelineRuntime, id: string) => Promise<(told: Told) => void>;

/** All that can be looked at. */
export const LOOKS: readonly Look[] = [
  async (p, id) => {
    const { sequenceId, status, value } = await p.item(id);
    return (told) => told.item(id, sequenceId, status, value);
  },
  async (p) => {
    const { rows } = await p.items(EVERYTHING);
    return (told) => {
      for (const row of rows) told.item(row.id, row.sequenceId, row.status, undefined);
    };
  },
  async (p) => {
    const { rows } = await p.results({ ...EVERYTHING, status: 'all' });
    return (told) => told.results(rows);
  },
  async (p, id) => {
    const { done } = await p.waitForItems({ itemIds: [id], returnWhen: 'ALL_COMPLETED', timeoutSeconds: 0.01 });
    return (told) => told.results(done);
  },
  async (p) => {
    const stats = await p.stats();
    return (told) => {
      told.atLeast(stats);
      told.event(stats.asOf);
    };
  },
  async (p) => {
    const { asOf, pipelineStats } = await p.snapshot();
    expect(asOf).toBe(pipelineStats.asOf);
    return (told) => told.event(asOf);
  },
  async (p) => {
    const { itemsProcessed, itemsCancelled } = await p.describe();
    return (told) => told.atLeast({ itemsFed: 0, itemsProcessed, itemsCancelled });
  },
  async (p) => {
    const { rows } = await p.feeds(EVERYTHING);
    return (told) => {
      for (const row of rows) told.feed(row);
    };
  },
];

/** What answers have told of a pipeline, to be compared with what a restart finds. */
export class Told {
  /** Sequence ids by item. */
  private readonly known = new Map<string, number>();
  private readonly ended = new Map<string, { status: string; value: unknown }>();
  private readonly counts = { itemsFed: 0, itemsProcessed: 0, itemsCancelled: 0 };
  private readonly feeds = new Map<string, { total: number; completed: number }>();
  private readonly goingOn = new Set<string>();
  private newest = 0;

  /** It was asked for again: that it has failed is not the last word. */
  mayGoOn(id: string): void {
    this.goingOn.add(id);
    if (this.ended.get(id)?.status === 'failed') this.ended.delete(id);
  }

  atLeast(counts: Readonly<Record<'itemsFed' | 'itemsProcessed' | 'itemsCancelled', number>>): void {
    for (const name of ['itemsFed', 'itemsProcessed', 'itemsCancelled'] as const)
      this.counts[name] = Math.max(this.counts[name], counts[name]);
  }

  feed({ feedId, total, completed }: { feedId: string; total: number; completed: number }): void {
    const before = this.feeds.get(feedId);
    this.feeds.set(feedId, { total: Math.max(total, before?.total ?? 0), completed: Math.max(completed, before?.completed ?? 0) });
  }

  /** All of it is true still. */
  async check(p: PipelineRuntime): Promise<void> {
    for (const [id, sequenceId] of this.known) expect((await p.item(id)).sequenceId, id).toBe(sequenceId);
    for (const [id, { status, value }] of this.ended) {
      const now = await p.item(id);
      expect(now.status, id).toBe(status);
      if (value !== undefined) expect(now.value, id).toEqual(value);
    }
    const stats = await p.stats();
    for (const [name, least] of Object.entries(this.counts)) {
      expect(stats[name as keyof typeof this.counts], name).toBeGreaterThanOrEqual(least);
    }
    const feeds = new Map((await p.feeds(EVERYTHING)).rows.map((feed) => [feed.feedId, feed]));
    for (const [feedId, { total, completed }] of this.feeds) {
      expect(feeds.get(feedId)?.total, feedId).toBeGreaterThanOrEqual(total);
      expect(feeds.get(feedId)?.completed, feedId).toBeGreaterThanOrEqual(completed);
    }
    expect(p.events.newest, 'the event that asOf named').toBeGreaterThanOrEqual(this.newest);
  }

  item(id: string, sequenceId: number, status: string, value: unknown): void {
    this.known.set(id, sequenceId);
    if (!ENDS.includes(status) || (status === 'failed' && this.goingOn.has(id))) return;
    const before = this.ended.get(id);
    this.ended.set(id, { status, value: status === 'completed' ? (value ?? before?.value) : undefined });
  }

  results(rows: readonly PipelineResult[]): void {
    for (const { id, sequenceId, error, value } of rows) {
      const status = error === null ? 'completed' : error.type === 'Cancelled' ? 'cancelled' : 'failed';
      this.item(id, sequenceId, status, value ?? undefined);
    }
  }

  event(id: string): void {
    this.newest = Math.max(this.newest, Number(id.slice(id.lastIndexOf('-') + 1)));
  }
}
