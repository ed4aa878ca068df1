import { expect } from 'vitest';
import type { IdempotencyKey, PipelineRuntime, RunStream } from '../../../src/engine/index.ts';
import { ended, NEVER, named, type Suite, until } from '../world.ts';

const key = (body?: string, request = 'r'): IdempotencyKey => ({ key: 'k', request, ...(body === undefined ? {} : { body }) });
const asking = (body?: string, request?: string) => ({ idempotency: key(body, request) });
const REUSED = { code: 'idempotency-key-reused' };

const itemsFed = async (p: PipelineRuntime): Promise<number> => (await p.stats()).itemsFed;

export function repeating({ test, world }: Suite): void {
  const pass = [{ name: 'A', tasks: ['pass'] }];
  const gated = [{ name: 'A', tasks: ['gated'] }];

  test('a feed is answered as the first time, and nothing is fed', async () => {
    const p = await (await world()).pipeline(pass);
    const first = await p.feed(['x', { id: 'a' }], asking('1'));
    expect(first.replayed).toBeUndefined();
    await ended(p, 2);
    expect(await p.feed(['x', { id: 'a' }], asking('1'))).toEqual({ ...first, replayed: true });
    expect(await itemsFed(p)).toBe(2);
    await p.feed(['x'], { idempotency: { ...key('1'), key: 'other' } });
    expect(await itemsFed(p)).toBe(3);
  });

  test('another request under the same key is refused, and does not change what the key holds', async () => {
    const p = await (await world()).pipeline(pass);
    const first = await p.feed(['x'], asking('1'));
    await expect(p.feed(['y'], asking('2'))).rejects.toMatchObject(REUSED);
    await expect(p.feed(['x'], asking('1', 'else'))).rejects.toMatchObject(REUSED);
    await expect(p.run(['x'], asking('1', 'else'))).rejects.toMatchObject(REUSED);
    await expect(p.openFeed(asking(undefined, 'else'))).rejects.toMatchObject(REUSED);
    expect(await p.feed(['x'], asking('1'))).toMatchObject({ feedId: first.feedId, replayed: true });
    expect(await itemsFed(p)).toBe(1);
  });

  test('a refused request may be sent again under its key, and is carried out then', async () => {
    const p = await (await world()).pipeline(pass, { backlogCapacity: 2, start: false });
    await p.feed([1, 2], { feedId: 'f' });
    await expect(p.feed(['x'], asking('1'))).rejects.toMatchObject({ code: 'queue-full' });
    await expect(p.feed(['x'], { ...asking('1'), feedId: 'f' })).rejects.toMatchObject({ code: 'feed-exists' });
    await expect(p.openFeed({ ...asking(), targetStage: 'Z' })).rejects.toMatchObject({ code: 'unknown-stage' });
    await expect(p.openRun({ ...asking(), feedId: 'f' })).rejects.toMatchObject({ code: 'feed-exists' });
    await p.start().catch(() => undefined);
    await ended(p, 2);
    const accepted = await p.feed(['x'], asking('1'));
    expect([accepted.accepted, accepted.replayed]).toEqual([1, undefined]);
  });

  test('a repeat waits for the first while that is carried out', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated, { backlogCapacity: 1 });
    await p.feed(named('a'), {});
    await held(1);
    await p.feed(named('b'), {});
    const first = p.feed(['x'], { ...asking('1'), waitSeconds: NEVER });
    const second = p.feed(['x'], { ...asking('1'), waitSeconds: NEVER });
    await expect(p.feed(['y'], asking('2'))).rejects.toMatchObject(REUSED);
    const caller = new AbortController();
    const gone = p.feed(['x'], { ...asking('1'), signal: caller.signal });
    caller.abort();
    await expect(gone).rejects.toMatchObject({ code: 'request-timeout' });
    gate.open('a');
    expect(await second).toEqual({ ...(await first), replayed: true });
    expect(await itemsFed(p)).toBe(3);
  });

  test('a repeat takes over when the first is refused', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline(gated, { backlogCapacity: 1 });
    await p.feed(named('a'), {});
    await held(1);
    await p.feed(named('b'), {});
    const caller = new AbortController();
    const first = expect(p.feed(['x'], { ...asking('1'), waitSeconds: NEVER, signal: caller.signal })).rejects.toMatchObject({
      code: 'request-timeout',
    });
    const second = p.feed(['x'], { ...asking('1'), waitSeconds: NEVER });
    caller.abort();
    await first;
    await p.cancelItem('b');
    const receipt = await second;
    expect([receipt.accepted, receipt.replayed]).toEqual([1, undefined]);
  });

  test('a feed in pushes is compared at its end, and nothing of it is fed again', async () => {
    const p = await (await world()).pipeline(pass);
    const first = await p.openFeed(asking());
    await first.push(['x', 'y']);
    const receipt = await first.end('1');
    const same = await p.openFeed(asking());
    await same.push(['x', 'y']);
    expect(await same.end('1')).toEqual({ ...receipt, replayed: true });
    const other = await p.openFeed(asking());
    await other.push(['x']);
    await expect(other.end('2')).rejects.toMatchObject(REUSED);
    expect(await itemsFed(p)).toBe(2);
  });

  test('a feed in pushes that was given up is gone on with, by a repeat that has waited for it', async () => {
    const p = await (await world()).pipeline(pass);
    const first = await p.openFeed(asking());
    await first.push(['x']);
    const second = p.openFeed(asking());
    await first.abort();
    const taken = await second;
    await taken.push(['x', 'y']);
    expect(await taken.end('1')).toEqual({ feedId: first.feedId, accepted: 2, duplicates: 0, firstSequence: 1, lastSequence: 2 });
    expect(await itemsFed(p)).toBe(2);
  });

  test('a run is answered as the first time, also while it still runs', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'], taskAttempts: 1 }]);
    const items = named('a', 'b');
    const first = p.run(items, asking('1'));
    await held(1);
    const second = p.run(items, asking('1'));
    gate.fail('a', new RangeError('no'));
    await held(1);
    gate.open('b');
    const answer = await first;
    expect(answer).toMatchObject({ results: [{ id: 'a', error: { type: 'RangeError' } }, { id: 'b' }], errorSummary: { totalFailed: 1 } });
    expect(await second).toEqual({ ...answer, replayed: true });
    await p.retryItem('a');
    await held(1);
    gate.open('a');
    await ended(p, 2);
    // The answer stays the first one, whatever became of the items since.
    expect(await p.run(items, asking('1'))).toEqual({ ...answer, replayed: true });
    expect(await itemsFed(p)).toBe(2);
  });

  test('a run whose caller has gone is waited for by its repeat', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated);
    const caller = new AbortController();
    const gone = p.run(['x'], { ...asking('1'), signal: caller.signal });
    await held(1);
    caller.abort();
    await expect(gone).rejects.toMatchObject({ code: 'request-timeout' });
    const again = p.run(['x'], asking('1'));
    gate.open();
    expect(await again).toMatchObject({ results: [{ value: 'x', error: null }], replayed: true });
    expect(await p.run(['x'], asking('1'))).toEqual(await again);
    expect(await itemsFed(p)).toBe(1);
  });

  test('a run that was cut short is waited for after the next start', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated);
    const cut = expect(p.run(['x'], asking('1'))).rejects.toMatchObject({ code: 'invalid-state' });
    await held(1);
    await p.shutdown('force', 10);
    await cut;
    await p.start();
    await held(1);
    gate.open();
    expect(await p.run(['x'], asking('1'))).toMatchObject({ results: [{ value: 'x' }], replayed: true });
    expect(await itemsFed(p)).toBe(1);
  });

  test('a run that was cancelled because its caller went leaves its key free', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated);
    const caller = new AbortController();
    const gone = p.run(['x'], { ...asking('1'), signal: caller.signal, cancelOnAbort: true });
    await held(1);
    caller.abort();
    await expect(gone).rejects.toMatchObject({ code: 'request-timeout' });
    const again = p.run(['x'], asking('1'));
    await held(1);
    gate.open();
    expect((await again).replayed).toBeUndefined();
    expect(await itemsFed(p)).toBe(2);
  });

  test('a run whose time was up is answered so again', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated);
    const first = await p.run(['x'], { ...asking('1'), timeoutSeconds: 0 });
    expect(first.pending).toMatchObject({ done: false });
    await held(1);
    gate.open();
    await ended(p, 1);
    expect(await p.run(['x'], { ...asking('1'), timeoutSeconds: 0 })).toEqual({ ...first, replayed: true });
  });

  async function readAll(run: RunStream) {
    const rows: unknown[] = [];
    for (;;) {
      const step = await run.read();
      if (step.kind !== 'results') return { rows, end: step };
      rows.push(...step.results);
    }
  }

  test('a streamed run gives the same rows in the same order again', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', workers: 3, tasks: ['gated'] }]);
    const run = await p.openRun(asking());
    await run.push(named('a', 'b', 'c'));
    await held(3);
    await run.end('1');
    const reading = readAll(run);
    for (const id of ['c', 'a', 'b']) {
      gate.open(id);
      await until(p, async () => (await p.item(id)).status === 'completed');
    }
    const first = await reading;
    expect(first.rows).toMatchObject([{ id: 'c' }, { id: 'a' }, { id: 'b' }]);
    const again = await p.openRun(asking());
    expect(again.isReplay).toBe(true);
    await again.push(named('a', 'b', 'c'));
    expect(await again.end('1')).toMatchObject({ feedId: run.feedId, accepted: 3, replayed: true });
    expect(await readAll(again)).toEqual(first);
    const other = await p.openRun(asking());
    await expect(other.end('2')).rejects.toMatchObject(REUSED);
    expect(await itemsFed(p)).toBe(3);
  });

  test('a streamed run that was left in its middle gives all rows to its repeat', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated);
    const caller = new AbortController();
    const run = await p.openRun({ ...asking('1'), signal: caller.signal }, named('a', 'b'));
    await held(1);
    gate.open('a');
    expect(await run.read()).toMatchObject({ results: [{ id: 'a' }] });
    caller.abort();
    const again = await p.openRun(asking('1'), named('a', 'b'));
    const reading = readAll(again);
    await held(1);
    gate.open('b');
    expect(await reading).toMatchObject({ rows: [{ id: 'a' }, { id: 'b' }], end: { kind: 'done', feedId: run.feedId } });
    expect(await itemsFed(p)).toBe(2);
  });

  test('an answer too long to be kept is made of the results again, as long as these are kept', async () => {
    const p = await (await world()).pipeline(pass, { retention: { maxItems: 20 } });
    const items = Array.from({ length: 12 }, (_, i) => ({ id: `i${i}`, value: 'x'.repeat(100_000) }));
    const first = await p.run(items, asking('1'));
    expect(await p.run(items, asking('1'))).toEqual({ ...first, replayed: true });
    await p.run(
      Array.from({ length: 20 }, () => 0),
      {},
    );
    await expect(p.run(items, asking('1'))).rejects.toMatchObject({ code: 'no-longer-kept', details: { feedId: first.feedId } });
    expect(await itemsFed(p)).toBe(32);
  });
}
