/** Uploads under an idempotency key that are killed at every write of theirs, and sent again: each item is accepted once. */
import { describe, expect, it } from 'vitest';
import type { PipelineRuntime } from '../../src/engine/index.ts';
import type { FeedReceipt } from '../../src/schemas/control.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { ended, named } from '../conformance/world.ts';
import { type Life, livesOf } from './durable-host.ts';
import { FailingStore } from './failing-store.ts';

const LINES = 1_200;
const BACKLOG = 250;
const EVERYTHING = { after: 0, limit: 10_000, status: 'all' as const };
const pass = (value: unknown): unknown => value;
const pipeline = { id: 'p', stages: [{ name: 'A', workers: 3, tasks: ['pass'] }] };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const asking = { idempotency: { key: 'k', request: 'r' } };

const numbers = Array.from({ length: LINES }, (_, i) => i);

/** What is sent, in pushes of how many. */
const BODIES = {
  'without ids': { size: 100, lines: numbers, accepted: LINES },
  'in pushes that are larger than the backlog': { size: 2 * BACKLOG, lines: numbers, accepted: LINES },
  'with ids, every third of which comes twice': {
    size: 100,
    lines: numbers.map((i) => (i % 3 === 1 ? i - 1 : i)).map((i) => ({ id: `i${i}`, value: i })),
    accepted: LINES - LINES / 3,
  },
};

/** Another size of pushes each time: nobody sends the same pieces again. */
async function upload({ host }: Life, lines: readonly unknown[], size: number): Promise<FeedReceipt> {
  const writer = await host.get('p').openFeed(asking);
  try {
    for (let at = 0; at < lines.length; at += size) {
      await writer.push(lines.slice(at, at + size));
      // A body comes in pieces, and the store writes meanwhile.
      await turn();
    }
  } catch (error) {
    await writer.abort().catch(() => undefined);
    throw error;
  }
  return writer.end('all');
}

/** Begins a life on a disk that takes so many writes and then none. */
function mortalLives() {
  const disk = new FailingStore();
  let left = Number.POSITIVE_INFINITY;
  let dying = Promise.withResolvers<never>();
  disk.onWrite = () => {
    if (left-- > 0) return;
    disk.fault = 'gone';
    dying.reject(new Error('its disk is gone'));
  };
  const lives = livesOf({ pass }, { backlogCapacity: BACKLOG }, undefined, (store) => disk.of(store));
  return {
    lives,
    begin: async (): Promise<Life> => {
      left = Number.POSITIVE_INFINITY;
      disk.fault = null;
      dying = Promise.withResolvers();
      dying.promise.catch(() => undefined);
      return lives.begin();
    },
    lastFor: (writes: number): void => {
      left = writes;
    },
    /** Whether it lived to see the end of this. */
    survives: (work: Promise<unknown>): Promise<boolean> =>
      Promise.race([work, dying.promise]).then(
        () => true,
        () => false,
      ),
  };
}

describe.each(Object.entries(BODIES))('an upload %s', (_name, { lines, accepted, size }) => {
  it('is accepted once, whichever of its writes was the last of its process', { timeout: 60_000 }, async () => {
    let isThrough = false;
    let writes = 0;
    for (; !isThrough; writes++) {
      const { lives, begin, lastFor } = mortalLives();
      let life = await begin();
      await life.host.create(pipeline);
      lastFor(writes);
      // The second one is killed sooner or later than the first.
      const first = await upload(life, lines, size).catch(() => null);
      isThrough = first !== null;
      await life.crash();
      life = await begin();
      lastFor(writes % 4);
      await upload(life, lines, size - 30).catch(() => null);
      await life.crash();
      life = await begin();
      const receipt = await upload(life, lines, size + 11);
      const p = life.host.get('p');
      await ended(p, accepted);
      const { rows } = await p.results(EVERYTHING);
      expect(receipt, `killed after ${writes} writes`).toMatchObject({ accepted, duplicates: LINES - accepted });
      if (first !== null) expect(receipt).toEqual({ ...first, replayed: true });
      expect(rows.map(({ value }) => value)).toEqual([...new Set(lines.map((line) => (typeof line === 'object' ? line.value : line)))]);
      expect(await p.feedView(receipt.feedId)).toMatchObject({ total: accepted, completed: accepted, done: true });
      expect((await p.feeds({ after: 0, limit: 10 })).rows).toHaveLength(1);
      await life.stop();
      expect(audit(lives.file()).faults).toEqual([]);
    }
    expect(writes).toBeGreaterThan(LINES / size);
  });
});

/** Lets lives end at each of their writes until one does not, and gives what follows each. */
async function* killedAtEachWrite(work: (p: PipelineRuntime) => Promise<unknown>): AsyncGenerator<PipelineRuntime> {
  for (let writes = 0, isThrough = false; !isThrough; writes++) {
    const { begin, lastFor, survives } = mortalLives();
    let life = await begin();
    await life.host.create(pipeline);
    lastFor(writes);
    isThrough = await survives(work(life.host.get('p')));
    await life.crash();
    life = await begin();
    yield life.host.get('p');
    await life.stop();
  }
}

describe('killed at each write', () => {
  const ids = Array.from({ length: 40 }, (_, i) => `i${i}`);
  const whole = { idempotency: { key: 'k', request: 'r', body: 'b' }, feedId: 'f', waitSeconds: 60 };

  it('a feed in one piece is accepted once, also one that waits for room', async () => {
    const others = Array.from({ length: BACKLOG }, (_, i) => `other${i}`);
    const feedBehindOthers = async (p: PipelineRuntime): Promise<unknown> => {
      await p.pause();
      await p.feed(named(...others), {});
      await expect(p.feed(ids, {})).rejects.toMatchObject({ code: 'queue-full' });
      // It is stored that the feed is open when room comes for it.
      const makeRoom = async (): Promise<void> => {
        await turn();
        await p.stats();
        await p.resume();
      };
      return Promise.all([p.feed(ids, whole), makeRoom()]);
    };
    for await (const p of killedAtEachWrite(feedBehindOthers)) {
      if ((await p.describe()).state === 'paused') await p.resume();
      expect(await p.feed(ids, whole)).toMatchObject({ feedId: 'f', accepted: ids.length });
      expect(await p.feedView('f')).toMatchObject({ total: ids.length });
      expect((await p.feed(ids, whole)).replayed).toBe(true);
    }
  });

  it('a run in one piece runs its items once, and answers with all of them', async () => {
    for await (const p of killedAtEachWrite((p) => p.run(ids, whole))) {
      const { results } = await p.run(ids, whole);
      expect(results.map(({ value }) => value)).toEqual(ids);
      expect((await p.stats()).itemsFed).toBe(ids.length);
    }
  });

  it('a streamed run accepts its items once, and answers with all of them', { timeout: 30_000 }, async () => {
    const streamed = async (p: PipelineRuntime): Promise<unknown[]> => {
      const run = await p.openRun(asking);
      const values: unknown[] = [];
      const read = async (): Promise<void> => {
        for (let step = await run.read(); step.kind === 'results'; step = await run.read())
          values.push(...step.results.map((r) => r.value));
      };
      try {
        for (let at = 0; at < ids.length; at += 10) {
          await run.push(ids.slice(at, at + 10));
          await turn();
        }
      } catch (error) {
        await run.abort().catch(() => undefined);
        throw error;
      }
      await run.end('all');
      await read();
      return values;
    };
    for await (const p of killedAtEachWrite(streamed)) {
      expect((await streamed(p)).toSorted()).toEqual(ids.toSorted());
      expect((await p.stats()).itemsFed).toBe(ids.length);
    }
  });

  it('a cancelled upload stays cancelled', async () => {
    const cancelled = async (p: PipelineRuntime): Promise<unknown> => {
      const writer = await p.openFeed({ ...asking, feedId: 'f' });
      await writer.push(ids);
      await ended(p, ids.length);
      return p.cancelFeed('f');
    };
    let isCancelled = false;
    for await (const p of killedAtEachWrite(cancelled)) {
      const again = p.openFeed({ ...asking, feedId: 'f' });
      isCancelled = await again.then(
        (writer) => writer.abort().then(() => false),
        ({ code }) => code === 'feed-cancelled',
      );
    }
    // It is once the request that cancelled it was answered.
    expect(isCancelled).toBe(true);
  });
});
