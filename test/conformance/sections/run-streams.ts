import { expect } from 'vitest';
import type { RunStream } from '../../../src/engine/index.ts';
import { ended, NEVER, named, reaches, type Suite, until } from '../world.ts';

/** Everything up to the end: ids in the order of reading, and how it ended. */
async function readAll(run: RunStream) {
  const ids: string[] = [];
  for (;;) {
    const step = await run.read();
    if (step.kind !== 'results') return { ids, end: step };
    ids.push(...step.results.map(({ id }) => id));
  }
}

const idsOf = (step: Awaited<ReturnType<RunStream['read']>>): string[] | string =>
  step.kind === 'results' ? step.results.map(({ id }) => id) : step.kind;

export function runStreams({ test, world }: Suite): void {
  test('gives the first result before the last item is fed, each as it ends', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', workers: 2, tasks: ['gated'], taskAttempts: 1 }], { start: false });
    const run = await p.openRun({ feedId: 'f' });
    expect([run.feedId, run.isReplay]).toEqual(['f', false]);
    await run.push(named('a', 'b'));
    await held(2);
    gate.open('b');
    expect(idsOf(await run.read())).toEqual(['b']);
    await run.push(named('c'));
    await held(2);
    gate.fail('c', new RangeError('no c'));
    const step = await run.read();
    expect(step).toMatchObject({ kind: 'results', results: [{ id: 'c', value: null, error: { type: 'RangeError' } }] });
    expect(await run.end()).toMatchObject({ feedId: 'f', accepted: 3 });
    const rest = readAll(run);
    gate.open('a');
    expect(await rest).toMatchObject({
      ids: ['a'],
      end: { kind: 'done', feedId: 'f', errorSummary: { totalFailed: 1, errorsByType: { RangeError: 1 }, failedItems: [{ itemId: 'c' }] } },
    });
  });

  test('takes items at once, all or nothing', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { backlogCapacity: 3 });
    expect(await readAll(await p.openRun({}, named('a', 'b', 'c')))).toMatchObject({ ids: ['a', 'b', 'c'], end: { kind: 'done' } });
    await expect(p.openRun({ feedId: 'f' }, [1, 2, 3, 4])).rejects.toMatchObject({ code: 'queue-full' });
    await expect(p.openRun({}, [{ id: '' }])).rejects.toMatchObject({ code: 'invalid-input' });
    expect(await readAll(await p.openRun({ feedId: 'f' }, []))).toMatchObject({ ids: [], end: { kind: 'done', feedId: 'f' } });
  });

  test('gives values although results are not collected', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['double'] }], { collectResults: false });
    const run = await p.openRun({}, [1, 2]);
    const values: unknown[] = [];
    for (let step = await run.read(); step.kind === 'results'; step = await run.read())
      values.push(...step.results.map(({ value }) => value));
    expect(values).toEqual([2, 4]);
  });

  test('pushes no further while results are not read', async () => {
    const p = await (await world()).pipeline([{ name: 'A', workers: 4, tasks: ['pass'] }], { backlogCapacity: 500 });
    const run = await p.openRun({});
    const feeding = (async () => {
      for (let i = 0; i < 50; i++) await run.push(Array.from({ length: 100 }, () => i));
      await run.end();
    })();
    // There is room again and again: what stops it is that nobody reads.
    await ended(p, 1_000);
    await until(p, async () => (await p.stats()).itemsInFlight === 0);
    expect((await p.stats()).itemsFed).toBeLessThan(2_000);
    const { ids, end } = await readAll(run);
    await feeding;
    expect([ids.length, new Set(ids).size, end.kind]).toEqual([5_000, 5_000, 'done']);
  });

  test('answers with the feed when the time is up; its items go on', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    const run = await p.openRun({ timeoutSeconds: 0.02, feedId: 'f' }, named('a'));
    await held(1);
    expect(await run.read()).toMatchObject({ kind: 'pending', feed: { feedId: 'f', inProgress: 1, done: false } });
    gate.open('a');
    await reaches(p, 'a', 'completed');
  });

  test('stops when its caller goes, and cancels what is unfinished if that was asked for', async () => {
    for (const cancelOnAbort of [false, true]) {
      const { pipeline, gate, held } = await world();
      const p = await pipeline([{ name: 'A', tasks: ['gated'] }], { backlogCapacity: 1 });
      const caller = new AbortController();
      const run = await p.openRun({ signal: caller.signal, cancelOnAbort, feedId: 'f' });
      await run.push(named('a'));
      await held(1);
      await run.push(named('b'));
      const pushed = run.push(named('c')).then(
        () => 'accepted',
        (error: { code: string }) => error.code,
      );
      const reading = expect(run.read()).rejects.toMatchObject({ code: 'request-timeout' });
      caller.abort();
      await reading;
      if (cancelOnAbort) {
        expect(await pushed).toBe('feed-cancelled');
        await ended(p, 2);
        await run.abort();
        expect(await p.feedView('f')).toMatchObject({ total: 2, cancelled: 2, done: true });
      } else {
        gate.open('a');
        expect(await pushed).toBe('accepted');
        await run.abort();
        await gate.arrived('b');
        gate.open('b');
        await gate.arrived('c');
        gate.open('c');
        expect(await p.waitForFeed('f', {})).toMatchObject({ feed: { completed: 3 } });
      }
    }
  });

  test('is told when the pipeline is shut down before its items have ended', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    const run = await p.openRun({}, named('a'));
    await held(1);
    const refused = expect(run.read()).rejects.toMatchObject({ code: 'invalid-state' });
    await p.shutdown('force', 10);
    await refused;
  });

  test('gives what was accepted when its feeding is given up', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    const run = await p.openRun({});
    await run.push(named('a', 'b'));
    expect(await run.abort()).toMatchObject({ accepted: 2 });
    expect(await readAll(run)).toMatchObject({ ids: ['a', 'b'], end: { kind: 'done' } });
  });
}

/** `run` itself: how long it waits, and for whom. */
export function runWaits({ test, world }: Suite): void {
  test('answers with the feed and the results so far when the time is up; its items go on', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', workers: 2, tasks: ['gated'] }]);
    // How long this machine needs for `b` nobody knows: the time is doubled until `b` has ended in it.
    for (let seconds = 0.05; ; seconds *= 2) {
      const [a, b, feedId] = ['a', 'b', 'f'].map((name) => `${name} in ${seconds} s`) as [string, string, string];
      const ran = p.run(named(a, b), { timeoutSeconds: seconds, feedId });
      await held(2);
      gate.open(b);
      const { results, pending } = await ran;
      const isIn = results.length > 0;
      expect(results.map(({ id }) => id)).toEqual(isIn ? [b] : []);
      expect(pending).toMatchObject({ feedId, ...(isIn && { completed: 1, inProgress: 1 }), done: false });
      gate.open(a);
      await reaches(p, a, 'completed');
      if (isIn) break;
    }
    expect((await p.run([], { timeoutSeconds: NEVER })).pending).toBeUndefined();
  });

  test('cancels what is unfinished when its caller goes, if that was asked for', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    const caller = new AbortController();
    const ran = p.run(named('a', 'b'), { signal: caller.signal, cancelOnAbort: true, feedId: 'f' });
    await held(1);
    caller.abort();
    await expect(ran).rejects.toMatchObject({ code: 'request-timeout' });
    expect(await p.feedView('f')).toMatchObject({ cancelled: 2, done: true });
  });

  test('waits for room, as feed does', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }], { backlogCapacity: 1 });
    await p.feed(named('a'), {});
    await held(1);
    await p.feed(named('b'), {});
    await expect(p.feed(named('c'), { waitSeconds: 0.02 })).rejects.toMatchObject({ code: 'queue-full' });
    const fed = p.feed(named('c'), { waitSeconds: NEVER });
    gate.open('a');
    expect(await fed).toMatchObject({ accepted: 1, ids: ['c'] });
    const ran = p.run(named('d'), { waitSeconds: NEVER });
    for (const id of ['b', 'c', 'd']) {
      await held(1);
      gate.open(id);
    }
    expect((await ran).results).toMatchObject([{ id: 'd' }]);
  });
}
