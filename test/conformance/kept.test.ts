/**
 * Every method of the contract, while the store fails or hangs: what is looked at is what a restart finds, what would be promised is refused.
 * A method that is added to the contract has to be added here, or the types of this file are wrong.
 */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { PipelineHost, PipelineRuntime, RunStep } from '../../src/engine/index.ts';
import { StoredReads } from '../../src/engine/local/stored-reads.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { FeedView } from '../../src/schemas/feed.ts';
import { createGate } from '../engine/harness.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { livesOf } from '../stores/durable-host.ts';
import { FailingStore } from '../stores/failing-store.ts';
import { ALL, EVERYTHING, named } from './world.ts';

/**
 * How a method is told in trouble. `looks`: the part of its answer that a restart can confirm or deny. `promises`: refused. `waits`: its answer when
 * the time is up. `live`: it says what is now, for this reason.
 */
type Way<T> =
  | { looks: (of: T) => Promise<unknown> }
  | { promises: (of: T) => Promise<unknown> }
  | { waits: (of: T) => Promise<unknown>; answer: unknown }
  | { live: string; ask: (of: T) => unknown };

const ALL_RESULTS = { ...EVERYTHING, status: 'all' as const };
/** Workers hold other items after a restart, and rates begin anew. */
function feedOf({ throughputPerSecond: _, etaSeconds: __, queued, inProgress, ...feed }: FeedView) {
  return { ...feed, unfinished: queued + inProgress };
}
const { signal } = new AbortController();

const RUNTIME: Record<keyof PipelineRuntime, Way<PipelineRuntime>> = {
  definition: { looks: async (p) => p.definition },
  describe: { looks: (p) => p.describe() },
  history: { live: 'it is what was measured, and is measured again', ask: (p) => p.history({ seconds: 60, points: 12 }) },
  feed: { promises: (p) => p.feed(named('refused'), {}) },
  openFeed: { promises: (p) => p.openFeed({}) },
  run: { promises: (p) => p.run(named('refused'), {}) },
  openRun: { promises: (p) => p.openRun({}, named('refused')) },
  gauge: { live: 'it accepts nothing, and its refusal is no change', ask: (p) => p.gauge({})([1]) },
  feeds: { looks: async (p) => (await p.feeds(EVERYTHING)).rows.map(feedOf) },
  feedMaker: { looks: (p) => p.feedMaker('first') },
  feedView: { looks: async (p) => feedOf(await p.feedView('first')) },
  feedResults: { looks: (p) => p.feedResults('first', ALL_RESULTS) },
  followFeed: {
    // The feed's next result is that of an item whose end is not stored.
    looks: async (p) => {
      const rows: unknown[] = [];
      const over = new AbortController();
      const following = p.followFeed('first', { status: 'all', after: 0, signal: over.signal })[Symbol.asyncIterator]();
      const first = following.next().then(
        ({ value = [] }) => rows.push(...value),
        () => undefined,
      );
      await p.describe();
      over.abort();
      await first;
      return rows.filter((row) => (row as { id: string }).id === 'running');
    },
  },
  waitForFeed: {
    waits: async (p) => (await p.waitForFeed('first', { timeoutSeconds: 1, signal })).done,
    answer: false,
  },
  waitForItems: {
    waits: (p) => p.waitForItems({ itemIds: ['done', 'running'], returnWhen: 'ALL_COMPLETED', timeoutSeconds: 1 }),
    answer: { done: [expect.objectContaining({ id: 'done', value: 'done' })], pending: ['running'] },
  },
  cancelFeed: { promises: (p) => p.cancelFeed('first') },
  retryFeed: { promises: (p) => p.retryFeed('first') },
  start: { promises: (p) => p.start() },
  pause: { promises: (p) => p.pause() },
  resume: { promises: (p) => p.resume() },
  pauseStage: { promises: (p) => p.pauseStage('A') },
  resumeStage: { promises: (p) => p.resumeStage('A') },
  join: { promises: (p) => p.join(1) },
  shutdown: { promises: (p) => p.shutdown('force') },
  tune: { promises: (p) => p.tune('A', { workers: 5 }) },
  untune: { promises: (p) => p.untune('A') },
  stats: { looks: async (p) => countsOf(await p.stats()) },
  overview: {
    looks: async (p) => {
      const { queued, running } = await p.overview();
      return { queued, running };
    },
  },
  workerNames: { looks: (p) => p.workerNames() },
  workerStates: {
    looks: async (p) => Object.values(await p.workerStates()).filter(({ currentItemId }) => String(currentItemId).startsWith('new')),
  },
  workerMetrics: { live: 'a crash takes their last seconds: test/stores/live-facts.test.ts', ask: (p) => p.workerMetrics() },
  snapshot: {
    looks: async (p) => {
      const { pipelineStats, errorSummary } = await p.snapshot();
      return { stats: countsOf(pipelineStats), errorSummary };
    },
  },
  errors: { looks: (p) => p.errors() },
  errorGroups: { live: 'no store keeps them', ask: (p) => p.errorGroups({ limit: 10 }) },
  results: { looks: (p) => p.results(ALL_RESULTS) },
  items: {
    looks: async (p) =>
      (await p.items(EVERYTHING)).rows.map(({ id, status, stage, feedId, error }) => ({ id, status, stage, feedId, error })),
  },
  item: {
    looks: async (p) => {
      const found = [];
      for (const id of ['done', 'failed', 'running', 'waiting', 'new-1']) {
        const told = await p
          .item(id)
          .catch((error: { code: string }) => ({ id, status: error.code, value: null, error: null, stage: null }));
        found.push({ id, status: told.status, value: told.value, error: told.error, stage: told.stage });
      }
      return found;
    },
  },
  cancelItem: { promises: (p) => p.cancelItem('waiting') },
  retryItem: { promises: (p) => p.retryItem('failed') },
  retryFailed: { promises: (p) => p.retryFailed({}) },
  cancelItems: { promises: (p) => p.cancelItems({}) },
  events: { looks: async (p) => p.events.read(0, Number.MAX_SAFE_INTEGER, ALL).events.slice(0, STORED_EVENTS.count) },
};

const HOST: Record<keyof PipelineHost, Way<PipelineHost>> = {
  tasks: { live: 'they are of the process', ask: (host) => host.tasks.list() },
  limiters: { live: 'what they count is stored with the next write: test/stores/limiters.test.ts', ask: (host) => host.limiters.list() },
  events: { live: 'it shows what is stored, and goes on from there: test/stores/event-order.test.ts', ask: (host) => host.events.newest },
  snapshots: {
    looks: async (host) => (await host.snapshots()).map(({ pipelineId, pipelineStats }) => [pipelineId, countsOf(pipelineStats)]),
  },
  measure: {
    live: 'whoever watches wants to see the trouble',
    ask: async (host) => (await host.measure()).pipelines.map(({ pipelineId }) => pipelineId),
  },
  storeHealth: { live: 'it says that there is trouble', ask: (host) => host.storeHealth },
  shuttingDown: { live: 'it is of the process', ask: (host) => host.shuttingDown },
  list: { looks: (host) => host.list() },
  get: {
    looks: async (host) => {
      const found = [];
      for (const id of ['p', 'leaving', 'new']) {
        const look = async () => (await host.get(id).describe()).definition.id;
        found.push(await look().catch((error: { code: string }) => error.code));
      }
      return found;
    },
  },
  create: { promises: (host) => host.create({ id: 'refused', stages: [{ name: 'A', tasks: ['gated'] }] }) },
  put: { promises: (host) => host.put('p', { stages: [{ name: 'Other', tasks: ['gated'] }] }) },
  validate: {
    live: 'it answers for the definition and keeps nothing',
    ask: async (host) => (await host.validate({ id: 'checked', stages: STAGES })).definition.id,
  },
  remove: { promises: (host) => host.remove('p', 'force') },
  shutdown: { live: 'it goes on in trouble, and its report says what is not kept: test/stores/trouble.test.ts', ask: () => undefined },
};

/** How many events the store had when the trouble came. */
const STORED_EVENTS = { count: 0 };

function countsOf(stats: Awaited<ReturnType<PipelineRuntime['stats']>>) {
  const { itemsFed, itemsProcessed, itemsFailed, itemsCancelled, itemsInFlight, queueSizes, statusCounts, stageStats } = stats;
  // Measures are as they are now, and begin anew with the process.
  const stages = Object.values(stageStats).map(
    ({ ratePerSecond, waitSeconds, runSeconds, oldestItemAgeSeconds, workers, ...counters }) => counters,
  );
  return { itemsFed, itemsProcessed, itemsFailed, itemsCancelled, itemsInFlight, queueSizes, statusCounts, stages };
}

const STAGES = [{ name: 'A', tasks: ['gated'] }];

async function troubledWorld() {
  const gate = createGate();
  const clock = new VirtualClock();
  const disk = new FailingStore();
  const lives = livesOf(
    { gated: gate.task },
    { ports: { ...systemPorts, clock, uniqueId: countedIds() } },
    (work) => clock.finish(work),
    (store) => disk.of(store),
  );
  const life = await lives.begin();
  const { host } = life;
  await clock.finish(host.create({ id: 'p', stages: STAGES }));
  await clock.finish(host.create({ id: 'leaving', stages: STAGES }));
  const p = host.get('p');
  await clock.finish(p.feed(named('done', 'failed', 'running', 'waiting'), { feedId: 'first', maker: 'me' }));
  gate.open('done');
  await clock.settle();
  gate.fail('failed', Object.assign(new Error('broken'), { permanent: true }));
  await clock.settle();
  expect(gate.inside).toEqual(['running']);
  STORED_EVENTS.count = p.events.newest;
  return { gate, clock, disk, lives, life, host, p };
}

/** Changes everything that can be changed, in one turn: none of it is stored. */
function changeAll(host: PipelineHost, p: PipelineRuntime): Promise<unknown>[] {
  return [
    p.feed(named('new-1', 'new-2'), { feedId: 'second' }),
    p.cancelItem('waiting'),
    p.retryItem('failed'),
    p.tune('A', { workers: 3 }),
    p.pauseStage('A'),
    host.put('p', { stages: [{ name: 'B', tasks: ['gated'], workers: 2 }] }),
    host.create({ id: 'new', stages: STAGES }),
    host.remove('leaving', 'force'),
  ];
}

const refused = { code: 'store-unavailable', retryAfterSeconds: expect.any(Number) };

async function compare(how: 'fails' | 'hangs'): Promise<void> {
  const { gate, clock, disk, lives, life, host, p } = await troubledWorld();
  if (how === 'fails') disk.fault = 'the disk reports an error';
  else disk.hangs = true;
  const changes = changeAll(host, p).map((change) =>
    change.then(
      () => ({}),
      (error: unknown) => ({ error }),
    ),
  );
  gate.open('running');
  await clock.settle();
  // It answers no more, but is not said to be in trouble yet: for that the clock has to go on.
  if (how === 'hangs') await clock.advance(1000);
  expect(host.storeHealth.trouble === null).toBe(how === 'hangs');

  const told = new Map<string, unknown>();
  const look = async (
    what: string,
    { p, host }: { p: PipelineRuntime; host: PipelineHost },
    into: (name: string, answer: unknown) => void,
  ) => {
    for (const [name, way] of Object.entries(RUNTIME)) if ('looks' in way) into(`${what}.${name}`, await clock.finish(way.looks(p)));
    for (const [name, way] of Object.entries(HOST)) if ('looks' in way) into(`host.${name}`, await clock.finish(way.looks(host)));
  };
  await look('p', { p, host }, (name, answer) => told.set(name, answer));
  expect(p.events.newest).toBe(STORED_EVENTS.count);
  const { asOf } = await clock.finish(p.stats());
  expect(asOf).toBe(p.events.lines.idOf(STORED_EVENTS.count));
  expect((await clock.finish(p.snapshot())).asOf).toBe(asOf);
  for (const [name, way] of Object.entries(RUNTIME)) {
    if ('waits' in way) expect(await clock.finish(way.waits(p)), name).toEqual(way.answer);
    if ('live' in way) await way.ask(p);
  }
  for (const way of Object.values(HOST)) if ('live' in way) await way.ask(host);

  // A write that does not end counts as trouble in the end.
  if (how === 'hangs') await clock.advance(5000);
  expect(host.storeHealth.trouble).not.toBeNull();
  for (const change of changes) expect(await change).toMatchObject({ error: refused });
  for (const [name, way] of Object.entries(RUNTIME)) {
    if ('promises' in way) await expect(clock.finish(way.promises(p)), name).rejects.toMatchObject(refused);
  }
  for (const [name, way] of Object.entries(HOST)) {
    if ('promises' in way) await expect(clock.finish(way.promises(host)), name).rejects.toMatchObject(refused);
  }
  await look('p', { p, host }, (name, answer) => expect(answer, name).toEqual(told.get(name)));

  await life.crash();
  disk.fault = null;
  disk.hangs = false;
  const next = await lives.begin();
  await clock.settle();
  await look('p', { p: next.host.get('p'), host: next.host }, (name, answer) => expect(told.get(name), name).toEqual(answer));
  expect(gate.inside).toContain('running');
}

describe('what is told while the store', () => {
  it.each(['fails', 'hangs'] as const)('%s is what a restart finds, by every method of the contract', { timeout: 30_000 }, compare);

  it('fails comes true when it can be written again', async () => {
    const { gate, clock, disk, host, p } = await troubledWorld();
    disk.fault = 'the disk reports an error';
    const changes = changeAll(host, p).map((change) => change.catch(() => undefined));
    gate.open('running');
    await clock.settle();
    await Promise.all(changes);
    disk.fault = null;
    await clock.advance(500);
    expect(host.storeHealth.trouble).toBeNull();
    expect((await clock.finish(host.list())).map(({ definition }) => definition.id).sort()).toEqual(['new', 'p']);
    expect(() => host.get('leaving')).toThrow(expect.objectContaining({ code: 'pipeline-not-found' }));
    expect(await clock.finish(p.item('running'))).toMatchObject({ status: 'completed' });
    expect(await clock.finish(p.item('waiting'))).toMatchObject({ status: 'cancelled' });
    expect((await clock.finish(p.feedView('second'))).total).toBe(2);
    expect(p.definition.stages.map(({ name }) => name)).toEqual(['B']);
  });

  it('fails goes out in streams and waits when it is stored', async () => {
    const { gate, clock, disk, p } = await troubledWorld();
    const stream = await clock.finish(p.openRun({ feedId: 'streamed' }, named('s')));
    const steps: RunStep[] = [];
    const reading = stream.read().then((step) => steps.push(step));
    const waited: unknown[] = [];
    const waiting = p.waitForItems({ itemIds: ['running'], returnWhen: 'ALL_COMPLETED' }).then((reply) => waited.push(reply));
    disk.fault = 'the disk reports an error';
    gate.open('running');
    await clock.advance(2000);
    expect(waited).toEqual([]);
    disk.fault = null;
    await clock.advance(500);
    await waiting;
    gate.open('waiting');
    await clock.settle();
    disk.fault = 'the disk reports an error';
    gate.open('s');
    await clock.advance(2000);
    expect(steps).toEqual([]);
    disk.fault = null;
    await clock.advance(500);
    await reading;
    expect(steps).toMatchObject([{ kind: 'results', results: [{ id: 's' }] }]);
    expect(waited).toMatchObject([{ done: [{ id: 'running' }], pending: [] }]);
  });

  it('takes a second is what was stored before, for one that only looks', async () => {
    const { gate, clock, disk, p } = await troubledWorld();
    disk.hangs = true;
    gate.open('running');
    await clock.settle();
    const told: unknown[] = [];
    const looking = p.item('running').then(({ status }) => told.push(status));
    await clock.advance(999);
    expect(told).toEqual([]);
    await clock.advance(1);
    await looking;
    expect(told).toEqual(['in_progress']);
    disk.hangs = false;
    expect(await clock.finish(p.item('running'))).toMatchObject({ status: 'completed' });
  });

  it('takes a second is told to many without holding the event loop', async () => {
    const { gate, clock, disk, p } = await troubledWorld();
    disk.hangs = true;
    gate.open('running');
    await clock.settle();
    const { items } = StoredReads.prototype;
    let asked = 0;
    let inFirstTurn = 0;
    const spy = vi.spyOn(StoredReads.prototype, 'items').mockImplementation(function (this: StoredReads, query) {
      if (asked++ === 0) clock.defer(() => (inFirstTurn = asked));
      clock.block(3);
      return items.call(this, query);
    });
    onTestFinished(() => spy.mockRestore());
    const looking = Promise.all(Array.from({ length: 10 }, () => p.items(EVERYTHING)));
    await clock.advance(1000);
    for (const { rows } of await looking) expect(rows).toContainEqual(expect.objectContaining({ id: 'running', status: 'in_progress' }));
    expect(asked).toBe(10);
    // A turn has 5 ms for them.
    expect(inFirstTurn).toBe(2);
    disk.hangs = false;
  });

  it('is idle makes no flush, however often it is looked at', async () => {
    const { clock, disk, host, p } = await troubledWorld();
    const { writes } = disk;
    for (let i = 0; i < 20; i++)
      await clock.finish(Promise.all([p.stats(), p.snapshot(), p.items(EVERYTHING), host.list(), host.snapshots()]));
    expect(disk.writes).toBe(writes);
    expect(clock.pending).toBe(0);
  });
});
