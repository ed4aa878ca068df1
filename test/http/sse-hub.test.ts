import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { SluiceError } from '../../src/engine/index.ts';
import { connect, createFakeSource, createManualClock, EVERYTHING, eventually, type Harness, startHarness } from './sse-harness.ts';

let harness: Harness | undefined;
afterEach(async () => {
  await harness?.stop();
  harness = undefined;
});

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('replay and live', () => {
  it('sends its headers, retry and the position before anything else', async () => {
    const source = createFakeSource({ newest: 41 });
    harness = await startHarness(source);
    const client = await connect(harness.port);
    await client.until(() => client.lastEventId === 'e1-41');
    expect(client.text).toBe('retry: 1000\n\nid: e1-41\n\n');
    expect(client.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'transfer-encoding': 'chunked',
    });
    expect(client.headers).not.toHaveProperty('content-encoding');
  });

  it('sends only what comes from now on to who names no place', async () => {
    const source = createFakeSource();
    source.pushMany(5);
    harness = await startHarness(source);
    const client = await connect(harness.port);
    source.pushMany(3);
    await client.until(() => client.ids.length === 3);
    expect(client.ids).toEqual([6, 7, 8]);
  });

  it('resumes exactly wherever the connection is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 }),
        fc.array(fc.integer({ min: 0, max: 6000 }), { minLength: 1, maxLength: 6 }),
        async (bursts, cuts) => {
          const source = createFakeSource();
          const own = await startHarness(source);
          try {
            const total = bursts.reduce((sum, burst) => sum + burst, 0);
            const seen: number[] = [];
            let lastEventId = 'e1-0';
            for (const cutAfter of [...cuts, Number.POSITIVE_INFINITY]) {
              const client = await connect(own.port, `/?after=${lastEventId.split('-')[1]}`, { cutAfter });
              source.pushMany(bursts.shift() ?? 0);
              if (cutAfter === Number.POSITIVE_INFINITY) {
                while (bursts.length > 0) source.pushMany(bursts.shift() ?? 0);
              }
              await client.until(() => client.closed || client.lastEventId === `e1-${source.newest}`);
              client.destroy();
              seen.push(...client.ids);
              lastEventId = client.lastEventId || lastEventId;
            }
            expect(seen).toEqual(range(1, total));
          } finally {
            await own.stop();
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('replays more than fits into one batch', async () => {
    const source = createFakeSource({ kept: 20_000 });
    source.pushMany(20_000);
    harness = await startHarness(source);
    const client = await connect(harness.port, '/?after=0');
    await client.until(() => client.ids.length >= 20_000);
    expect(client.ids).toEqual(range(1, 20_000));
  });

  it('tells of a gap, first and without an id, and goes on from the oldest kept', async () => {
    const source = createFakeSource({ kept: 10 });
    source.pushMany(100);
    harness = await startHarness(source);
    const client = await connect(harness.port, '/?after=50');
    await client.until(() => client.ids.length === 10);
    expect(client.events[0]).toEqual({ event: 'gap', data: '{"missed":40,"oldest":"e1-91"}', id: undefined });
    expect(client.ids).toEqual(range(91, 100));
  });

  it('tells who comes with an id that is not known of a gap that nobody can count, and leaves it its id until then', async () => {
    const source = createFakeSource({ kept: 10 });
    source.pushMany(3);
    harness = await startHarness(source);
    harness.attachment = { gap: true };
    const client = await connect(harness.port, '/?after=0');
    await client.until(() => client.ids.length === 3);
    expect(client.text).toMatch(/^retry: 1000\n\nevent: gap\ndata: \{"missed":null,"oldest":"e1-1"\}\n\nid: e1-1\n/);
  });

  it('tells of the gap also when nothing is kept', async () => {
    const source = createFakeSource({ newest: 7 });
    harness = await startHarness(source);
    const client = await connect(harness.port, '/?after=2');
    await client.until(() => client.events.length === 1);
    expect(client.named('gap')).toEqual([{ missed: 5, oldest: 'e1-8' }]);
    source.pushMany(1);
    await client.until(() => client.ids.length === 1);
    expect(client.ids).toEqual([8]);
    expect(client.named('gap')).toHaveLength(1);
  });
});

describe('sharing', () => {
  const counted = () => {
    const counter = { calls: 0 };
    const data = { toJSON: () => ({ nth: ++counter.calls }) };
    return { counter, data: data as unknown as Record<string, unknown> };
  };

  it('serialises nothing and has no subscription and no timer without a reader', async () => {
    const clock = createManualClock();
    const source = createFakeSource();
    harness = await startHarness(source, { clock });
    source.pushMany(3);
    expect([source.subscribers, source.reads, clock.timers]).toEqual([0, 0, 0]);
    const client = await connect(harness.port);
    expect([source.subscribers, clock.timers]).toEqual([1, 1]);
    client.destroy();
    const { hub } = harness;
    await eventually(() => hub.size === 0);
    expect([source.subscribers, clock.timers]).toEqual([0, 0]);
  });

  it('serialises an event once for all readers of the same filter, and once more for another filter', async () => {
    const source = createFakeSource();
    harness = await startHarness(source);
    const same = await Promise.all(range(1, 5).map(() => connect((harness as Harness).port)));
    const { counter, data } = counted();
    source.push({ data: { metadata: data } });
    await Promise.all(same.map((client) => client.until(() => client.ids.length === 1)));
    expect(counter.calls).toBe(1);
    harness.attachment = { filter: { ...EVERYTHING, stage: new Set(['A']) } };
    const other = await connect(harness.port);
    source.push({ data: { metadata: data } });
    await Promise.all([...same, other].map((client) => client.until(() => client.ids.at(-1) === 2)));
    expect(counter.calls).toBe(3);
  });

  it('sends each reader what its filter lets through', async () => {
    const source = createFakeSource();
    harness = await startHarness(source);
    harness.attachment = { filter: { types: new Set(['status']), stage: new Set(['B']) } };
    const stageB = await connect(harness.port);
    harness.attachment = { filter: { types: new Set(['task']) } };
    const tasks = await connect(harness.port);
    source.push({ data: { stage: 'A' } }, { data: { stage: 'B' } }, { type: 'task', data: { stage: 'B' } }, { data: { stage: 'B' } });
    await stageB.until(() => stageB.ids.length === 2);
    await tasks.until(() => tasks.ids.length === 1);
    expect([stageB.ids, tasks.ids]).toEqual([[2, 4], [3]]);
  });

  it('moves the position of a reader whose filter holds events back, with the heartbeat', async () => {
    const clock = createManualClock();
    const source = createFakeSource();
    harness = await startHarness(source, { clock });
    harness.attachment = { filter: { types: new Set(['task']) } };
    const client = await connect(harness.port);
    source.pushMany(50);
    await eventually(() => source.reads > 0);
    clock.advance(15_000);
    await client.until(() => client.comments === 1 && client.lastEventId === 'e1-50');
    expect(client.events).toEqual([]);
  });

  it('escapes line ends and keeps other line separators in data', async () => {
    const source = createFakeSource();
    harness = await startHarness(source);
    const client = await connect(harness.port);
    const text = 'a\nb\r\nc\rd\u2028e\u0000f\ud83d\ude00';
    source.push({ data: { itemId: text } });
    await client.until(() => client.events.length === 1);
    expect(client.named('status')).toMatchObject([{ itemId: text }]);
  });

  it('sends an event also when its data cannot be written as JSON', async () => {
    const source = createFakeSource();
    harness = await startHarness(source);
    const client = await connect(harness.port);
    source.push({ type: 'result', data: { value: 10n } }, {});
    await client.until(() => client.ids.length === 2);
    expect(client.named('result')).toMatchObject([{ value: '10', itemId: 'i1' }]);
  });
});

describe('pace', () => {
  /** A reader that has just got an event, after a quiet while. */
  async function followed() {
    const clock = createManualClock();
    const source = createFakeSource();
    harness = await startHarness(source, { clock, paceMs: 5 });
    const client = await connect(harness.port);
    clock.advance(100);
    source.push({});
    await client.until(() => client.ids.length === 1);
    return { clock, source, client };
  }

  it('sends at once after a quiet while, and collects for a moment what comes right after', async () => {
    const { clock, source, client } = await followed();
    const timers = clock.timers;
    const reads = source.reads;
    source.push({}, {});
    await eventually(() => clock.timers === timers + 1);
    source.push({});
    await new Promise((resolve) => setImmediate(resolve));
    expect([client.ids, source.reads]).toEqual([[1], reads]);
    clock.advance(5);
    await client.until(() => client.ids.length === 4);
    expect(client.ids).toEqual([1, 2, 3, 4]);
    expect(source.reads).toBe(reads + 1);
    expect(clock.timers).toBe(timers);
  });

  it('leaves no timer behind when its last reader goes', async () => {
    const { clock, source, client } = await followed();
    source.push({});
    await eventually(() => clock.timers === 2);
    client.destroy();
    await eventually(() => clock.timers === 0);
  });
});

describe('a store that cannot be read', () => {
  it.each([0, 3, 7])('delays what follows event %i, after a gap too, and nobody misses anything', async (at) => {
    const clock = createManualClock();
    const source = createFakeSource({ kept: 4 });
    source.pushMany(10);
    const { read } = source;
    let isWell = false;
    source.read = (after, scan, filter) => {
      // Two at a time, so that some come before the one that fails.
      if (isWell || after < at) return read(after, Math.min(scan, 2), filter);
      throw new SluiceError('store-unavailable', 'the disk reports an error');
    };
    harness = await startHarness(source, { clock });
    const client = await connect(harness.port, '/?after=0');
    // The heartbeat, and the next try.
    await eventually(() => clock.timers === 2);
    isWell = true;
    clock.advance(500);
    await client.until(() => client.lastEventId === 'e1-10');
    expect(client.ids).toEqual(range(7, 10));
    expect(client.events.filter(({ event }) => event === 'gap')).toHaveLength(1);
    expect(client.closed).toBe(false);
  });
});

describe('heartbeat and snapshots', () => {
  it('sends a comment to every reader every 15 s, from one timer', async () => {
    const clock = createManualClock();
    harness = await startHarness(createFakeSource(), { clock });
    const clients = [await connect(harness.port), await connect(harness.port)];
    expect(clock.timers).toBe(1);
    clock.advance(14_999);
    clock.advance(1);
    await Promise.all(clients.map((client) => client.until(() => client.comments === 1)));
    clock.advance(15_000);
    await Promise.all(clients.map((client) => client.until(() => client.comments === 2)));
  });

  it('sends a snapshot every so many seconds, without an id, made once for all who ask for the same interval', async () => {
    const clock = createManualClock();
    let made = 0;
    const snapshots = { view: { subject: {}, read: async () => [{ made: ++made }] }, seconds: 0.5 };
    harness = await startHarness(createFakeSource(), { clock });
    harness.attachment = { snapshots };
    const clients = [await connect(harness.port), await connect(harness.port)];
    for (const count of [1, 2]) {
      clock.advance(500);
      await Promise.all(clients.map((client) => client.until(() => client.named('snapshot').length === count)));
      await eventually(() => clock.timers === 2);
    }
    expect(clients.map((client) => client.named('snapshot'))).toEqual([
      [{ made: 1 }, { made: 2 }],
      [{ made: 1 }, { made: 2 }],
    ]);
    expect(clients[0]?.events.every(({ id }) => id === undefined)).toBe(true);
  });

  it('goes on after a snapshot that failed', async () => {
    const clock = createManualClock();
    let calls = 0;
    const snapshot = async () => {
      if (++calls === 1) throw new Error('no');
      return [{ calls }];
    };
    harness = await startHarness(createFakeSource(), { clock });
    harness.attachment = { snapshots: { view: { subject: {}, read: snapshot }, seconds: 1 } };
    const client = await connect(harness.port);
    clock.advance(1000);
    await eventually(() => clock.timers === 2);
    clock.advance(1000);
    await client.until(() => client.named('snapshot').length === 1);
  });
});

describe('ending', () => {
  it('sends what is left, then bye, then the end, and opens no more', async () => {
    const source = createFakeSource();
    harness = await startHarness(source);
    const client = await connect(harness.port);
    source.pushMany(2000);
    const closed = harness.hub.close();
    await client.until(() => client.ended);
    await closed;
    expect(client.ids).toEqual(range(1001, 2000));
    expect(client.events.at(-1)).toEqual({ event: 'bye', data: '{}', id: undefined });
    expect(harness.hub.size).toBe(0);
    expect(() => harness?.hub.attach({} as never)).toThrow(expect.objectContaining({ code: 'shutting-down' }));
    await harness.hub.close();
  });

  it('lets the server close: the connection ends with its stream', async () => {
    harness = await startHarness(createFakeSource());
    const { server } = harness;
    const client = await connect(harness.port);
    const serverClosed = new Promise((resolve) => server.close(resolve));
    await harness.hub.close();
    await serverClosed;
    await client.until(() => client.closed);
    expect(client.ended).toBe(true);
  });

  it('ends the streams of one source alone', async () => {
    const [gone, stays] = [createFakeSource(), createFakeSource({ epoch: 'e2' })];
    harness = await startHarness(stays);
    const other = await connect(harness.port);
    harness.attachment = { events: gone };
    const client = await connect(harness.port);
    await harness.hub.closeSource(gone);
    await client.until(() => client.ended);
    expect(client.named('bye')).toEqual([{}]);
    stays.pushMany(1);
    await other.until(() => other.ids.length === 1);
    expect(harness.hub.size).toBe(1);
  });
});
