import { expect } from 'vitest';
import type { FeedRequest, PipelineRuntime, RunStep, RunStream } from '../../../src/engine/index.ts';
import { ended, NEVER, named, type Suite } from '../world.ts';

const asking = (request = 'r'): FeedRequest => ({ idempotency: { key: 'k', request } });
const REUSED = { code: 'idempotency-key-reused' };

const itemsFed = async (p: PipelineRuntime): Promise<number> => (await p.stats()).itemsFed;

/** Sends these and breaks off. */
async function brokenOff(p: PipelineRuntime, request: FeedRequest, ...pushes: unknown[][]): Promise<string> {
  const writer = await p.openFeed(request);
  for (const items of pushes) await writer.push(items);
  await writer.abort();
  return writer.feedId;
}

async function sent(p: PipelineRuntime, request: FeedRequest, ...pushes: unknown[][]) {
  const writer = await p.openFeed(request);
  try {
    for (const items of pushes) await writer.push(items);
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return writer.end('all');
}

async function readAll(run: RunStream): Promise<{ ids: string[]; end: RunStep }> {
  const ids: string[] = [];
  for (;;) {
    const step = await run.read();
    if (step.kind !== 'results') return { ids, end: step };
    ids.push(...step.results.map(({ id }) => id));
  }
}

/** Requests that broke off after a part of their items, and are sent again under their key. */
export function resuming({ test, world }: Suite): void {
  const pass = [{ name: 'A', tasks: ['pass'] }];
  const gated = [{ name: 'A', tasks: ['gated'] }];

  test('what was accepted is not fed again, and the receipt is of everything', async () => {
    const p = await (await world()).pipeline(pass);
    const feedId = await brokenOff(p, { ...asking(), feedId: 'f' }, ['v', 'w'], ['x']);
    const receipt = await sent(p, { ...asking(), feedId: 'f' }, ['v'], ['w', 'x', 'y'], ['z']);
    expect(receipt).toEqual({ feedId, accepted: 5, duplicates: 0, firstSequence: 1, lastSequence: 5 });
    await ended(p, 5);
    const { rows } = await p.feedResults(feedId, { status: 'all', after: 0, limit: 10 });
    expect(rows.map(({ value }) => value)).toEqual(['v', 'w', 'x', 'y', 'z']);
    expect(await sent(p, { ...asking(), feedId: 'f' }, ['v', 'w', 'x', 'y', 'z'])).toEqual({ ...receipt, replayed: true });
  });

  test('a repeat may break off, too, earlier or later than the request before', async () => {
    const p = await (await world()).pipeline(pass);
    const feedId = await brokenOff(p, asking(), ['v', 'w'], ['x']);
    expect(await brokenOff(p, asking(), ['v'])).toBe(feedId);
    expect(await brokenOff(p, asking(), ['v', 'w', 'x', 'y'])).toBe(feedId);
    expect(await brokenOff(p, asking())).toBe(feedId);
    expect(await sent(p, asking(), ['v', 'w', 'x', 'y', 'z'])).toMatchObject({ feedId, accepted: 5 });
    expect(await itemsFed(p)).toBe(5);
  });

  test('another beginning is refused, or less of it, and the key still knows what was begun', async () => {
    const p = await (await world()).pipeline(pass);
    await brokenOff(p, asking(), ['v', 'w']);
    await expect(sent(p, asking(), ['v', 'other', 'x'])).rejects.toMatchObject(REUSED);
    await expect(sent(p, asking(), ['v'])).rejects.toMatchObject(REUSED);
    await expect(sent(p, asking())).rejects.toMatchObject(REUSED);
    await expect(p.openFeed(asking('else'))).rejects.toMatchObject(REUSED);
    await expect(p.feed(['v', 'w'], { idempotency: { key: 'k', request: 'r', body: 'b' } })).rejects.toMatchObject(REUSED);
    await expect(p.run(['v', 'w'], { idempotency: { key: 'k', request: 'r', body: 'b' } })).rejects.toMatchObject(REUSED);
    expect(await sent(p, asking(), ['v', 'w', 'x'])).toMatchObject({ accepted: 3 });
    expect(await itemsFed(p)).toBe(3);
  });

  test('duplicates are counted as if nothing had happened, and nothing is run again or rejected for what was begun', async () => {
    for (const [onDuplicate, accepted, duplicates] of [
      ['skip', 2, 2],
      ['rerun', 4, 0],
    ] as const) {
      const { pipeline, host } = await world();
      const p = await pipeline(pass);
      await p.run(named('a', 'b'), {});
      await brokenOff(p, { ...asking(), onDuplicate }, named('a', 'c'));
      await ended(p, 3);
      expect(await sent(p, { ...asking(), onDuplicate }, named('a', 'c', 'b', 'd'))).toMatchObject({ accepted, duplicates });
      await host.remove('p', 'force');
    }
    const p = await (await world()).pipeline(pass);
    const rejecting: FeedRequest = { ...asking(), onDuplicate: 'reject' };
    await brokenOff(p, rejecting, named('a'));
    await expect(sent(p, rejecting, named('a', 'b', 'a'))).rejects.toMatchObject({ code: 'duplicate-items' });
    expect(await sent(p, rejecting, named('a', 'b'))).toMatchObject({ accepted: 2, duplicates: 0 });
  });

  test('a push of which a part found room is gone on with in its middle', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated, { backlogCapacity: 2 });
    const writer = await p.openFeed(asking());
    const pushing = expect(writer.push(named('a', 'b', 'c', 'd', 'e'))).rejects.toMatchObject({ code: 'queue-full' });
    await held(1);
    await p.shutdown('force', 10);
    await pushing;
    await writer.abort();
    expect(await itemsFed(p)).toBeLessThan(5);
    await p.start();
    const again = sent(p, asking(), named('a'), named('b', 'c', 'd'), named('e', 'f'));
    for (const _ of 'abcdef') {
      await held(1);
      gate.open();
    }
    expect(await again).toMatchObject({ accepted: 6, duplicates: 0 });
  });

  test('what retention took is not fed again either', async () => {
    const p = await (await world()).pipeline(pass, { retention: { maxItems: 1 } });
    await brokenOff(p, asking(), ['v', 'w', 'x']);
    await ended(p, 3);
    expect(await sent(p, asking(), ['v', 'w', 'x', 'y'])).toMatchObject({ accepted: 4 });
    await ended(p, 4);
    expect(await itemsFed(p)).toBe(4);
  });

  test('a feed that is no longer listed cannot be gone on with, and nothing is fed', async () => {
    const p = await (await world()).pipeline(pass);
    const feedId = await brokenOff(p, { ...asking(), feedId: 'f' }, ['x']);
    await ended(p, 1);
    for (let i = 0; i < 101; i++) await Promise.all(Array.from({ length: 100 }, () => p.feed([], {})));
    await expect(p.openFeed(asking())).rejects.toMatchObject({ code: 'no-longer-kept', details: { feedId } });
    // Its id is free, and whoever takes it is another feed.
    await p.feed(['y'], { feedId });
    await expect(p.openFeed(asking())).rejects.toMatchObject({ code: 'no-longer-kept' });
    expect(await itemsFed(p)).toBe(2);
  });

  test('a request that broke off before anything was accepted leaves its key and its feed id free', async () => {
    const p = await (await world()).pipeline(pass);
    await brokenOff(p, { ...asking(), feedId: 'f' });
    expect(await sent(p, { ...asking('else'), feedId: 'f' }, ['x'])).toMatchObject({ feedId: 'f', accepted: 1 });
  });

  test('a feed that was cancelled takes nothing of a repeat', async () => {
    const p = await (await world()).pipeline(pass, { start: false });
    const feedId = await brokenOff(p, asking(), ['x']);
    await p.cancelFeed(feedId);
    for (let i = 0; i < 2; i++) await expect(sent(p, asking(), ['x', 'y'])).rejects.toMatchObject({ code: 'feed-cancelled' });
    expect(await itemsFed(p)).toBe(1);
  });

  test('a repeat that is refused leaves what was begun as it was', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated);
    await brokenOff(p, asking(), named('a'));
    await held(1);
    const joined = p.join();
    await expect(p.openFeed(asking())).rejects.toMatchObject({ code: 'draining' });
    gate.open();
    await joined;
    expect(await sent(p, asking(), named('a'), ['x'])).toMatchObject({ accepted: 2, duplicates: 0 });
  });

  test('a streamed run gives the results of all items, once all are sent', async () => {
    const p = await (await world()).pipeline(pass);
    const first = await p.openRun(asking());
    await first.push(named('a', 'b'));
    await first.abort();
    await ended(p, 2);
    const again = await p.openRun(asking());
    expect([again.feedId, again.isReplay, again.isResumed]).toEqual([first.feedId, false, true]);
    await again.push(named('a', 'b', 'c'));
    expect(await again.end('all')).toMatchObject({ accepted: 3, duplicates: 0 });
    expect(await readAll(again)).toMatchObject({ ids: ['a', 'b', 'c'], end: { kind: 'done', feedId: first.feedId } });
    const replay = await p.openRun(asking());
    expect(replay.isReplay).toBe(true);
    await replay.push(named('a', 'b', 'c'));
    await replay.end('all');
    expect((await readAll(replay)).ids).toEqual(['a', 'b', 'c']);
    expect(await itemsFed(p)).toBe(3);
  });

  test('a streamed run that is gone on with ends in time, and is cancelled with its caller if that was asked for', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline(gated);
    const first = await p.openRun(asking());
    await first.push(named('a'));
    await first.abort();
    await held(1);
    const caller = new AbortController();
    const again = await p.openRun({ ...asking(), timeoutSeconds: 0, cancelOnAbort: true, signal: caller.signal });
    await again.push(named('a', 'b'));
    await again.end('all');
    expect((await readAll(again)).end).toMatchObject({ kind: 'pending', feed: { total: 2 } });
    const other = await p.openRun({ idempotency: { key: 'l', request: 'r' } });
    await other.push(named('c'));
    await other.abort();
    const gone = await p.openRun({
      idempotency: { key: 'l', request: 'r' },
      timeoutSeconds: NEVER,
      cancelOnAbort: true,
      signal: caller.signal,
    });
    await gone.push(named('c', 'd'));
    await gone.end('all');
    const reading = expect(gone.read()).rejects.toMatchObject({ code: 'request-timeout' });
    caller.abort();
    await reading;
    await ended(p, 2);
    expect(await p.feedView(gone.feedId)).toMatchObject({ total: 2, cancelled: 2 });
  });
}
