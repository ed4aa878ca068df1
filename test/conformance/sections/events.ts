import { expect } from 'vitest';
import type { EventFilter, PipelineRuntime, SluiceEvent } from '../../../src/engine/index.ts';
import { ALL, ended, eventsOf, named, SOON, type Suite, until } from '../world.ts';

/** Two stages; completed, retried, skipped, failed and cancelled items; four in all, in three feeds. */
async function lively({ world }: Suite): Promise<PipelineRuntime> {
  const { pipeline, gate, held } = await world({
    tasks: {
      choosy: (value, ctx) => {
        if (value === 'failed') throw ctx.permanent('useless');
        return value;
      },
    },
    predicates: { isSkip: (value) => value === 'skip' },
  });
  const p = await pipeline([
    { name: 'A', workers: 2, tasks: ['pass', 'flaky'], taskWaitSeconds: SOON, skipIf: 'isSkip' },
    { name: 'B', tasks: ['gated'] },
    { name: 'C', tasks: ['choosy'] },
  ]);
  await p.feed(named('plain', 'skip'), { feedId: 'one' });
  await p.feed(named('cancelled'), { targetStage: 'B', feedId: 'two' });
  await held(1);
  await p.cancelItem('cancelled');
  await p.feed(named('failed'), { targetStage: 'C', feedId: 'three' });
  for (let i = 0; i < 2; i++) {
    const [id] = await held(1);
    gate.open(id);
  }
  await ended(p, 4);
  return p;
}

function drain(p: PipelineRuntime, after: number, scan: number, filter: EventFilter = ALL): SluiceEvent[] {
  const all: SluiceEvent[] = [];
  for (let cursor = after; cursor < p.events.newest; ) {
    const read = p.events.read(cursor, scan, filter);
    expect(read.cursor).toBeGreaterThan(cursor);
    expect(read.cursor).toBeLessThanOrEqual(cursor + scan);
    all.push(...read.events);
    cursor = read.cursor;
  }
  return all;
}

export function events(suite: Suite): void {
  const { test, world } = suite;

  test('are numbered 1, 2, 3 … without a gap', async () => {
    const p = await lively(suite);
    const { oldest, newest, lines } = p.events;
    expect(lines.current).toMatch(/^[0-9a-z]+$/);
    expect(oldest).toBe(1);
    expect(eventsOf(p).map(({ seq }) => seq)).toEqual(Array.from({ length: newest }, (_, i) => i + 1));
  });

  test('read from any cursor, in any portions, are exactly the rest', async () => {
    const p = await lively(suite);
    const all = eventsOf(p);
    for (const scan of [1, 3, 7, 1_000]) {
      for (let after = 0; after <= p.events.newest; after++) expect(drain(p, after, scan)).toEqual(all.slice(after));
    }
  });

  test('of results say how an item ended, also when it is kept no more', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }], { retention: { maxItems: 1 } });
    await p.feed(named('cancelled', 'done', 'last'), {});
    await held(1);
    await p.cancelItem('cancelled');
    for (let i = 0; i < 2; i++) {
      const [id] = await held(1);
      gate.open(id);
    }
    await ended(p, 3);
    await expect(p.item('cancelled')).rejects.toMatchObject({ code: 'item-not-found' });
    const results = eventsOf(p, { ...ALL, types: new Set(['result']) }).map(({ data }) => data);
    expect(results.map((data) => ('id' in data ? [data.id, data.error?.type ?? null] : data))).toEqual([
      ['cancelled', 'Cancelled'],
      ['done', null],
      ['last', null],
    ]);
    // What is left of the others is whole, as JSON too.
    for (const data of results) expect(JSON.parse(JSON.stringify(data))).toHaveProperty('value');
    for (const data of results) expect(data).toMatchObject({ metadata: {}, feedId: expect.any(String) });
  });

  test('read past the newest one are none, and the cursor stays', async () => {
    const p = await lively(suite);
    const { newest } = p.events;
    expect(p.events.read(newest, 100, ALL)).toEqual({ events: [], cursor: newest });
  });

  test('end each item exactly once, and give its result once', async () => {
    const p = await lively(suite);
    const all = eventsOf(p);
    const finals = all.flatMap(({ data }) => ('final' in data && data.final ? [`${data.itemId} ${data.status}`] : []));
    const ends = ['cancelled cancelled', 'failed failed', 'plain completed', 'skip completed'];
    expect(finals.toSorted()).toEqual(ends);
    const results = all.flatMap((event) => (event.type === 'result' ? [event.data] : []));
    expect(results.map(({ id }) => id).toSorted()).toEqual(['cancelled', 'failed', 'plain', 'skip']);
    const stored = (await p.results({ status: 'all', after: 0, limit: 10 })).rows;
    expect(results.toSorted((a, b) => a.sequenceId - b.sequenceId)).toEqual(stored);
  });

  test('show of each item legal steps only, and its history is these', async () => {
    const p = await lively(suite);
    const legal: Record<string, string[]> = {
      start: ['queued'],
      queued: ['in_progress', 'skipped', 'cancelled'],
      in_progress: ['completed', 'retrying', 'failed', 'cancelled'],
      retrying: ['queued', 'cancelled'],
      completed: ['queued'],
      skipped: ['queued'],
    };
    for (const { id } of (await p.items({ after: 0, limit: 10 })).rows) {
      const own = eventsOf(p, { types: new Set(['status']), itemId: new Set([id]) }).map(({ data }) => data);
      expect((await p.item(id)).history).toEqual(own);
      let before = 'start';
      for (const data of own) {
        const { status, final } = data as { status: string; final: boolean };
        expect(legal[before], `${id}: ${before} → ${status}`).toContain(status);
        before = final ? 'final' : status;
      }
      expect(before).toBe('final');
    }
  });

  test('of tasks tell each start, retry, completion and failure', async () => {
    const p = await lively(suite);
    const tasks = (id: string) =>
      eventsOf(p, { types: new Set(['task']), itemId: new Set([id]) }).flatMap(({ data }) =>
        'eventType' in data ? [`${data.taskName} ${data.eventType} ${data.attempt}`] : [],
      );
    expect(tasks('plain')).toEqual([
      'pass start 1',
      'pass complete 1',
      'flaky start 1',
      'flaky retry 1',
      'flaky start 2',
      'flaky complete 2',
      'gated start 1',
      'gated complete 1',
      'choosy start 1',
      'choosy complete 1',
    ]);
    expect(tasks('failed')).toEqual(['choosy start 1', 'choosy fail 1']);
    const [fail] = eventsOf(p, { types: new Set(['task']), itemId: new Set(['failed']) }).slice(-1);
    expect(fail?.data).toMatchObject({
      stage: 'C',
      worker: 'C-W0',
      error: { type: 'PermanentError', message: 'useless' },
      durationSeconds: expect.any(Number),
    });
  });

  test('let only that through what a filter asks for', async () => {
    const p = await lively(suite);
    const all = eventsOf(p);
    const of = (filter: Partial<EventFilter>) => eventsOf(p, { ...ALL, ...filter });
    for (const type of ALL.types) {
      expect(of({ types: new Set([type]) })).toEqual(all.filter((event) => event.type === type));
    }
    const itemOf = ({ data }: SluiceEvent) => ('itemId' in data ? data.itemId : 'id' in data ? data.id : undefined);
    expect(of({ itemId: new Set(['plain', 'failed']) })).toEqual(all.filter((event) => ['plain', 'failed'].includes(itemOf(event) ?? '')));
    const ofTwoFeeds = of({ feedId: new Set(['two', 'three']) });
    const feedOf = ({ type, data }: SluiceEvent) => (type === 'feed' ? data.feedId : '');
    expect(ofTwoFeeds.map(feedOf).filter((id) => id !== '')).toEqual(['two', 'three']);
    expect(new Set(ofTwoFeeds.map((event) => itemOf(event) ?? feedOf(event)))).toEqual(new Set(['cancelled', 'failed', 'two', 'three']));
    expect(ofTwoFeeds).toEqual(all.filter((event) => ['cancelled', 'failed', 'two', 'three'].includes(itemOf(event) ?? feedOf(event))));
    const inB = of({ types: new Set(['status', 'task']), stage: new Set(['B']) });
    expect(inB).toEqual(all.filter(({ data }) => 'itemId' in data && data.stage === 'B'));
    const skipped = of({ types: new Set(['status']), status: new Set(['skipped', 'failed']) });
    expect(skipped.map(({ data }) => ('status' in data ? `${data.itemId} ${data.status}` : '')).toSorted()).toEqual([
      'failed failed',
      'skip skipped',
    ]);
  });

  test('of the pipeline tell its changes of state', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    await p.pauseStage('A');
    await p.resumeStage('A');
    await p.join();
    const changes = eventsOf(p, { types: new Set(['pipeline']) }).map(({ data }) => data);
    expect(changes).toMatchObject([
      { pipelineId: 'p', change: 'started', state: 'running', stage: null },
      { change: 'stage-paused', state: 'running', stage: 'A' },
      { change: 'stage-resumed', state: 'running', stage: 'A' },
      { change: 'draining', state: 'draining', stage: null },
      { change: 'stopped', state: 'stopped', stage: null },
    ]);
  });

  test('of progress carry what the task tells', async () => {
    const { pipeline } = await world({
      tasks: {
        telling: (value: unknown, ctx: { setStatus: (text: string) => boolean; progress: (fraction: number) => void }) => {
          ctx.setStatus('half way');
          ctx.progress(0.5);
          return value;
        },
      },
    });
    const p = await pipeline([{ name: 'A', tasks: ['telling'] }]);
    await p.run(['x'], {});
    const progress = eventsOf(p, { types: new Set(['task']) }).filter(({ data }) => 'eventType' in data && data.eventType === 'progress');
    expect(progress.map(({ data }) => data)).toMatchObject([{ taskStatus: 'half way' }, { fraction: 0.5 }]);
  });

  test('wake whoever subscribed, in a later turn, until they leave', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    let wakes = 0;
    const leave = p.events.subscribe(() => wakes++);
    const fed = p.feed([1, 2, 3], {});
    expect(wakes).toBe(0);
    await fed;
    await until(p, () => wakes > 0);
    leave();
    leave();
    const before = wakes;
    await p.run([4], {});
    await until(p, async () => (await p.stats()).itemsProcessed === 4);
    expect(wakes).toBe(before);
  });
}
