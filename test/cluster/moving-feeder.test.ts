/** A feeder who repeats his requests while everything moves from a file to PostgreSQL and back. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { PipelineRuntime } from '../../src/engine/index.ts';
import { moveFromPostgres } from '../../src/migration/from-postgres.ts';
import { moveToPostgres } from '../../src/migration/to-postgres.ts';
import { livesOf } from '../stores/durable-host.ts';
import { ownOnPostgres } from './postgres-node.ts';
import { findPostgres, ownSchema } from './postgres-service.ts';

const found = await findPostgres();

const tasks = { double: (value: unknown) => Number(value) * 2 };
const definition = { id: 'p', stages: [{ name: 'A', tasks: ['double'] }] };

/** The ids of items by the events of their completion. */
const completionsOf = ({ events }: PipelineRuntime): (string | undefined)[] =>
  events
    .read(0, 1_000_000, { types: new Set(['status']) })
    .events.flatMap((event) => (event.type === 'status' && event.data.status === 'completed' ? [event.data.itemId] : []));

describe.skipIf(found === null)('store migrate', () => {
  it('loses and repeats nothing of a feeder who retries all the while', { timeout: 60_000 }, async () => {
    const place = ownSchema(found ?? 'postgres://nowhere/');
    onTestFinished(() => place.drop());
    let pipeline: PipelineRuntime | null = null;
    let arrival = Promise.withResolvers<void>();
    const serve = (next: PipelineRuntime | null): void => {
      pipeline = next;
      if (next === null) arrival = Promise.withResolvers<void>();
      else arrival.resolve();
    };
    const receipts = new Map<string, unknown>();
    /** Repeats a request until it is answered; the answer under a key is always the same. */
    const request = async (number: number): Promise<void> => {
      const [key, items] = [
        `k-${number}`,
        [
          { id: `i-${number}-a`, value: number },
          { id: `i-${number}-b`, value: -number },
        ],
      ];
      for (;;) {
        await arrival.promise;
        try {
          const receipt = await pipeline?.feed(items, { idempotency: { key, request: 'feed', body: key }, waitSeconds: 5 });
          if (receipt === undefined) continue;
          const { replayed: _, ...answer } = receipt;
          expect(answer).toEqual(receipts.get(key) ?? answer);
          receipts.set(key, answer);
          return;
        } catch (error) {
          // It stops, or has stopped.
          if ((error as { code?: string }).code === undefined) throw error;
          await new Promise((resolve) => setImmediate(resolve));
        }
      }
    };
    let answered = 0;
    let enough = Promise.withResolvers<void>();
    let wanted = 20;
    let isOver = false;
    const until = (more: number): Promise<void> => {
      wanted = answered + more;
      enough = Promise.withResolvers<void>();
      return enough.promise;
    };
    const feeder = async (first: number): Promise<void> => {
      for (let i = first; !isOver; i += 3) {
        await request(i);
        // Its answer was lost, or that of an earlier one.
        if (i % 4 === 0) await request(Math.max(first, i - 3 * (i % 5)));
        if (++answered >= wanted) enough.resolve();
      }
    };

    const lives = livesOf(tasks);
    const first = await lives.begin();
    await first.host.create(definition);
    serve(first.host.get('p'));
    const feeders = [0, 1, 2].map(feeder);
    await until(20);
    serve(null);
    await first.stop();
    await moveToPostgres(lives.file(), place.url);
    const node = await ownOnPostgres(place.url, tasks);
    serve(node.host.get('p'));
    await until(20);
    serve(null);
    await node.stop();
    const last = livesOf(tasks);
    await moveFromPostgres(place.url, last.file());
    const { host } = await last.begin();
    serve(host.get('p'));
    await until(20);
    isOver = true;
    await Promise.all(feeders);
    const end = host.get('p');
    await end.join();
    expect(await end.stats()).toMatchObject({ itemsFed: receipts.size * 2, itemsProcessed: receipts.size * 2, itemsFailed: 0 });
    for (const key of receipts.keys()) {
      const number = Number(key.slice(2));
      expect(await end.item(`i-${number}-a`)).toMatchObject({ status: 'completed', value: number * 2 });
    }
    const completed = completionsOf(end);
    expect(new Set(completed).size).toBe(completed.length);
    expect(completed).toHaveLength(receipts.size * 2);
  });
});
