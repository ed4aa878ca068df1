import { expect } from 'vitest';
import type { PipelineHost, PipelineRuntime } from '../../../src/engine/index.ts';
import { NEVER, named, SOON, type Suite } from '../world.ts';

export function removing({ test, world }: Suite): void {
  const gone = expect.objectContaining({ code: 'pipeline-not-found' });

  test('takes a pipeline without unfinished items, and its id is free again', async () => {
    const { host, pipeline } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['pass'] }]);
    await p.run(named('x'), {});
    await host.remove('p');
    expect(() => host.get('p')).toThrow(gone);
    expect(await host.list()).toEqual([]);
    const fresh = await pipeline([{ name: 'A', tasks: ['pass'] }]);
    expect(await fresh.stats()).toMatchObject({ itemsFed: 0 });
    await expect(fresh.item('x')).rejects.toMatchObject({ code: 'item-not-found' });
  });

  test('is refused while there are unfinished items, and changes nothing then', async () => {
    const { host, pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('a', 'b'), {});
    await held(1);
    await expect(host.remove('p')).rejects.toMatchObject({ code: 'items-in-flight', details: { itemsInFlight: 2 } });
    gate.open('a');
    await held(1);
    gate.open('b');
    expect((await p.join()).stats.itemsProcessed).toBe(2);
    await host.remove('p');
  });

  test('with drain finishes them first', async () => {
    const { host, pipeline, runs } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['flaky'], taskWaitSeconds: SOON }]);
    await p.feed(named('a', 'b'), {});
    await host.remove('p', 'drain');
    expect(runs.toSorted()).toEqual(['flaky:a', 'flaky:a', 'flaky:b', 'flaky:b']);
    expect(() => host.get('p')).toThrow(gone);
  });

  test('with force drops them', async () => {
    const { host, pipeline, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('a', 'b'), {});
    await held(1);
    await host.remove('p', 'force');
    expect(() => host.get('p')).toThrow(gone);
    expect(await (await pipeline([{ name: 'A', tasks: ['pass'] }])).stats()).toMatchObject({ itemsFed: 0, itemsInFlight: 0 });
  });

  const removed = { waiters: 'pipeline-not-found', feeder: 'pipeline-not-found' };
  const ends: [string, (host: PipelineHost, p: PipelineRuntime) => Promise<unknown>, { waiters: string; feeder: string }][] = [
    ['is stopped', async (_, p) => p.shutdown('force'), { waiters: 'invalid-state', feeder: 'queue-full' }],
    ['is removed', async (host) => host.remove('p', 'force'), removed],
    [
      'is removed while it stops',
      async (host, p) => [void p.shutdown('graceful', NEVER), await host.remove('p', 'force')],
      { ...removed, feeder: 'queue-full' },
    ],
    [
      'ends with the host while it stops',
      async (host, p) => [void p.shutdown('graceful', NEVER), await host.shutdown('force', NEVER)],
      { waiters: 'shutting-down', feeder: 'queue-full' },
    ],
    ['ends with the host', async (host) => host.shutdown('force', NEVER), { waiters: 'shutting-down', feeder: 'shutting-down' }],
  ];
  for (const [what, end, { waiters, feeder }] of ends) {
    test(`tells all who wait what has become of a pipeline that ${what}`, async () => {
      const { host, pipeline, held } = await world();
      const p = await pipeline([{ name: 'A', tasks: ['gated'] }], { backlogCapacity: 1 });
      await p.feed(named('a'), { feedId: 'f' });
      await held(1);
      const run = await p.openRun({}, named('b'));
      const writer = await p.openFeed({});
      const rows = p.followFeed('f', { status: 'all', after: 0 })[Symbol.asyncIterator]();
      const waiting = [
        p.run(named('a'), {}),
        run.read(),
        p.waitForFeed('f', {}),
        p.waitForItems({ itemIds: ['a'], returnWhen: 'ALL_COMPLETED' }),
        rows.next(),
      ].map((one) => expect(one).rejects.toMatchObject({ code: waiters }));
      const fed = expect(writer.push(named('c'))).rejects.toMatchObject({ code: feeder, details: { accepted: 0 } });
      await p.stats();
      await end(host, p);
      await Promise.all([...waiting, fed]);
    });

    test(`tells a join that it was cut short by what has become of a pipeline that ${what}`, async () => {
      const { host, pipeline, held } = await world();
      const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
      await p.feed(named('a'), {});
      await held(1);
      const joined = expect(p.join()).rejects.toMatchObject({ code: waiters });
      await end(host, p);
      await joined;
    });
  }

  test('of what is not there is refused', async () => {
    const { host } = await world();
    await expect(host.remove('p')).rejects.toMatchObject({ code: 'pipeline-not-found' });
    await expect(host.remove('p', 'force')).rejects.toMatchObject({ code: 'pipeline-not-found' });
  });

  test('leaves the other pipelines alone', async () => {
    const { host, pipeline } = await world();
    await pipeline([{ name: 'A', tasks: ['pass'] }]);
    const other = await pipeline([{ name: 'A', tasks: ['pass'] }], { id: 'other' });
    await host.remove('p');
    expect((await other.run([1], {})).results).toHaveLength(1);
  });

  test('all at once is the host’s shutdown, with one report', async () => {
    const { host, pipeline, gate, held } = await world();
    const one = await pipeline([{ name: 'A', tasks: ['gated'] }], { id: 'one' });
    const two = await pipeline([{ name: 'A', tasks: ['pass'] }], { id: 'two', start: false });
    await one.feed(named('a', 'b'), {});
    await two.feed(named('c'), {});
    await held(1);
    const ending = host.shutdown('graceful', NEVER);
    expect(host.shuttingDown).toBe(true);
    gate.open('a');
    expect(await ending).toMatchObject({ mode: 'graceful', finished: 1, leftQueued: 2, aborted: 0, timedOut: false });
    expect((await host.list()).map(({ state }) => state)).toEqual(['stopped', 'stopped']);
    expect(await host.shutdown('graceful', NEVER)).toMatchObject({ finished: 0, leftQueued: 2 });
  });

  test('a harder shutdown of the host overtakes a softer one that still runs', async () => {
    const { host, pipeline, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('a'), {});
    await held(1);
    const soft = host.shutdown('drain', NEVER);
    const hard = await host.shutdown('force', NEVER);
    expect(hard).toMatchObject({ mode: 'force', leftQueued: 1, aborted: 1 });
    expect(await soft).toMatchObject({ mode: 'force', leftQueued: 1 });
  });

  test('a softer shutdown of the host is overtaken with the harder one’s time limit', async () => {
    const { host, pipeline, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('a', 'b'), {});
    await held(1);
    const soft = host.shutdown('drain', NEVER);
    expect(await host.shutdown('graceful', 0.01)).toMatchObject({ mode: 'force', leftQueued: 2, aborted: 1, timedOut: true });
    expect(await soft).toMatchObject({ mode: 'force', leftQueued: 2 });
  });

  test('a graceful shutdown of the host that overtook a drain says what it was', async () => {
    const { host, pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('a', 'b'), {});
    await held(1);
    const soft = host.shutdown('drain', NEVER);
    const hard = host.shutdown('graceful', NEVER);
    gate.open('a');
    expect(await hard).toMatchObject({ mode: 'graceful', finished: 1, leftQueued: 1 });
    expect(await soft).toMatchObject({ mode: 'graceful', leftQueued: 1 });
  });

  test('the host’s shutdown takes no more from who is feeding, in whatever state the pipeline is, and counts what it took', async () => {
    const { host, pipeline } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['pass'] }], { start: false });
    const writer = await p.openFeed({});
    await writer.push(named('a', 'b'));
    const report = await host.shutdown('graceful', NEVER);
    expect(report).toMatchObject({ leftQueued: 2 });
    await expect(writer.push(named('c'))).rejects.toMatchObject({ code: 'shutting-down', details: { accepted: 2 } });
    expect(await writer.end()).toMatchObject({ accepted: 2 });
    await expect(p.feed(named('d'), {})).rejects.toMatchObject({ code: 'shutting-down' });
    await expect(p.run(named('d'), {})).rejects.toMatchObject({ code: 'shutting-down' });
    expect((await p.stats()).itemsInFlight).toBe(2);
  });

  test('the host’s shutdown that runs out of time says so', async () => {
    const { host, pipeline, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('a'), {});
    await held(1);
    expect(await host.shutdown('drain', 0.01)).toMatchObject({ mode: 'force', leftQueued: 1, aborted: 1, timedOut: true });
  });
}
