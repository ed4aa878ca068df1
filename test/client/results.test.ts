import { Agent, fetch as undiciFetch } from 'undici';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createSluice, jsonText, type Sluice } from '../../src/client/index.ts';
import { collect, numbered, numbers, PATIENCE, type World, world } from './world.ts';

const valuesOf = (results: { value: unknown }[]): number[] => results.map(({ value }) => (value as { n: number }).n).sort((a, b) => a - b);
const all = (count: number): number[] => numbers(count).map(({ n }) => n);

describe('run', () => {
  it('yields the results of the first items while the last are still to be sent', async () => {
    const { sluice } = await world();
    const { promise: seen, resolve } = Promise.withResolvers<void>();
    async function* source() {
      yield* numbered(10);
      await seen;
      yield { n: 10 };
    }
    const results = [];
    for await (const result of sluice.run('p', source())) {
      results.push(result);
      if (results.length === 10) resolve();
    }
    expect(valuesOf(results)).toEqual(all(11));
  });

  it.each(['stream', 'batches'] as const)('has each result once, though the connection breaks, as %s', async (upload) => {
    const { sluice, url, proxy } = await world({ cuts: [{ up: 2000 }, { down: 5000 }, { down: 50_000 }] });
    const results = await collect(sluice.run('p', () => numbered(2500), { upload, patience: PATIENCE }));
    expect(valuesOf(results)).toEqual(all(2500));
    expect(proxy.cuts).toEqual([]);
    expect(await collect(createSluice({ url }).results('p'))).toHaveLength(2500);
  });

  it('does not send a source again that can be read only once', async () => {
    const { sluice } = await world({ cuts: [{ down: 2000 }] });
    await expect(collect(sluice.run('p', numbered(2000), { patience: PATIENCE }))).rejects.toMatchObject({ name: 'SluiceUnreachable' });
  });

  it('has the failed ones and those that were known among the results', async () => {
    const { sluice } = await world({ task: 'picky' });
    await sluice.feed('p', [{ id: 'known', value: 1 }]);
    const results = await collect(
      sluice.run('p', [
        { id: 'known', value: 2 },
        { id: 'b', value: 'bad' },
      ]),
    );
    expect(results.map(({ id, value, error }) => [id, value, error?.message ?? null]).sort()).toEqual([
      ['b', null, 'it is bad'],
      ['known', 1, null],
    ]);
  });

  it.each([true, false])('has both results of an id that runs again (source that can be sent again: %s)', async (canRestart) => {
    const { sluice, proxy } = await world();
    const { promise: first, resolve } = Promise.withResolvers<void>();
    async function* source() {
      yield { id: 'a', value: 1 };
      await first;
      yield { id: 'a', value: 2 };
    }
    const results = [];
    const options = { onDuplicate: 'rerun' as const, patience: PATIENCE };
    for await (const result of sluice.run('p', canRestart ? source : source(), options)) {
      results.push(result.value);
      resolve();
    }
    expect([results, proxy.accepted]).toEqual([[1, 2], 1]);
  });

  it('cancels what has not ended when its loop is left, if asked to', async () => {
    const { sluice, service } = await world({ task: 'gated' });
    const run = sluice.run('p', [{ id: 'a' }, { id: 'b' }], { feedId: 'f', cancelOnDisconnect: true });
    const first = run.next();
    await service.held(1);
    service.gate.open('a');
    expect(await first).toMatchObject({ value: { id: 'a' } });
    await run.return(undefined);
    expect(await sluice.wait('p', 'f')).toMatchObject({ completed: 1, cancelled: 1 });
  });

  it('throws the fault of the source', async () => {
    const { sluice } = await world();
    function* faulty() {
      yield 1;
      throw new TypeError('the source is broken');
    }
    await expect(collect(sluice.run('p', () => faulty()))).rejects.toThrow('the source is broken');
  });
});

describe('while nothing ends', () => {
  const ITEMS = [{ id: 'a' }, { id: 'b' }];
  const WAYS = ['run', 'results'] as const;

  /** Results of two items, the first of which has ended. */
  async function halfway(way: (typeof WAYS)[number], { service, url }: World, sluice: Sluice, options: { silenceSeconds?: number } = {}) {
    if (way === 'results') await createSluice({ url }).feed('p', ITEMS, { feedId: 'f' });
    const given = { feedId: 'f', patience: PATIENCE, ...options };
    const results = way === 'run' ? sluice.run('p', ITEMS, given) : sluice.results('p', { ...given, follow: true });
    const first = results.next();
    await service.gate.arrived('a');
    service.gate.open('a');
    expect(await first).toMatchObject({ value: { id: 'a' } });
    await service.gate.arrived('b');
    return results;
  }

  it.each(WAYS)('%s keeps its connection, although fetch ends an answer that is silent', async (way) => {
    const there = await world({ task: 'gated', sseHeartbeatSeconds: 0.1 });
    const agent = new Agent({ bodyTimeout: 500 });
    onTestFinished(() => agent.destroy());
    const { promise: longAfter, resolve: onLongAfter } = Promise.withResolvers<void>();
    let [requests, comments] = [0, 0];
    const impatient = async (input: unknown, init: object): Promise<Response> => {
      requests++;
      const response = (await undiciFetch(String(input), { ...init, dispatcher: agent })) as unknown as Response;
      const noted = new TransformStream<Uint8Array, Uint8Array>({
        transform(bytes, controller) {
          if (new TextDecoder().decode(bytes).startsWith(':') && ++comments === 10) onLongAfter();
          controller.enqueue(bytes);
        },
      });
      return new Response(response.body?.pipeThrough(noted));
    };
    const results = await halfway(way, there, createSluice({ url: there.url, fetch: impatient as typeof fetch }));
    const rest = collect(results);
    await Promise.race([longAfter, rest]);
    there.service.gate.open('b');
    expect(await rest).toMatchObject([{ id: 'b' }]);
    expect(requests).toBe(1);
  });

  it.each(WAYS)('%s goes on over another connection when even the comments do not come', async (way) => {
    const there = await world({ task: 'gated', sseHeartbeatSeconds: 3600 });
    const results = await halfway(way, there, there.sluice, { silenceSeconds: 0.5 });
    const rest = collect(results);
    there.proxy.muteAll();
    there.service.gate.open('b');
    expect(await rest).toMatchObject([{ id: 'b' }]);
    expect(there.proxy.accepted).toBeGreaterThan(1);
  });

  it('a run waits for its answer to begin as long as its source takes, and for the end of it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const resultOf = (id: string) => ({ id, feedId: 'f', sequenceId: id.charCodeAt(0) });
    const row = (id: string): string => `event: result\ndata: ${JSON.stringify(resultOf(id))}\n\n`;
    const answers = [row('a'), `${row('a')}${row('b')}event: summary\ndata: {}\n\n`];
    const keys: unknown[] = [];
    const { promise: accepted, resolve: accept } = Promise.withResolvers<void>();
    const fetch = async (_: unknown, { headers }: { headers: Record<string, string> }): Promise<Response> => {
      keys.push(headers['idempotency-key']);
      await accepted;
      return new Response(answers.shift());
    };
    const sluice = createSluice({ url: 'http://127.0.0.1:1', fetch: fetch as unknown as typeof globalThis.fetch });
    const results = collect(sluice.run('p', ITEMS, { patience: { ...PATIENCE, giveUpSeconds: 1 } }));
    await vi.advanceTimersByTimeAsync(3_600_000);
    accept();
    await vi.advanceTimersByTimeAsync(1000);
    expect(await results).toEqual([resultOf('a'), resultOf('b')]);
    expect(keys).toEqual([expect.any(String), keys[0]]);
  });
});

describe('results', () => {
  it('come once each and in order, though the connection breaks', async () => {
    const { sluice, url, proxy } = await world({ cuts: [{ down: 4000 }, { down: 60_000 }] });
    await createSluice({ url }).feed('p', numbers(2500), { feedId: 'f' });
    const followed = await collect(sluice.results('p', { feedId: 'f', follow: true, patience: PATIENCE }));
    expect(followed.map(({ value }) => (value as { n: number }).n)).toEqual(all(2500));
    proxy.cuts.push({ down: 4000 }, { down: 60_000 });
    const listed = await collect(sluice.results('p', { patience: PATIENCE }));
    expect(listed).toEqual(followed);
    expect(proxy.cuts).toEqual([]);
    expect(await collect(sluice.results('p', { after: followed.at(-2)?.sequenceId ?? 0 }))).toEqual(followed.slice(-1));
  });

  it('as text have all digits', async () => {
    const { sluice } = await world();
    await sluice.feed('p', [jsonText('{"id":"a","value":1152921504606846976}')], { bigNumbers: 'lossy' });
    const [row] = await collect(sluice.resultTexts('p'));
    expect(row?.text).toContain('"value":1152921504606847000');
    expect(row?.value.id).toBe('a');
  });

  it('end with the problem in the last line of a pipeline that is stopped', async () => {
    const { sluice, service } = await world({ task: 'gated' });
    await sluice.feed('p', [1], { feedId: 'f' });
    await service.held(1);
    const rows = sluice.results('p', { feedId: 'f', follow: true, patience: { ...PATIENCE, giveUpSeconds: 0 } });
    const reading = expect(rows.next()).rejects.toMatchObject({ name: 'SluiceProblem', code: 'invalid-state' });
    await sluice.api.POST('/pipelines/{id}/shutdown', { params: { path: { id: 'p' } }, body: { mode: 'force' } });
    await reading;
  });
});

it('wait asks again and again, until the feed is done or the time is up', async () => {
  const { sluice, service } = await world({ task: 'gated', cuts: [{ down: 10 }] });
  await sluice.feed('p', [1], { feedId: 'f', patience: PATIENCE });
  expect(await sluice.wait('p', 'f', { timeoutSeconds: 0.01, patience: PATIENCE })).toMatchObject({ done: false, total: 1 });
  const waiting = sluice.wait('p', 'f', { patience: PATIENCE });
  await service.held(1);
  service.gate.open();
  expect(await waiting).toMatchObject({ done: true, completed: 1 });
  const stop = new AbortController();
  stop.abort(new Error('enough'));
  await expect(sluice.wait('p', 'f', { signal: stop.signal })).rejects.toThrow('enough');
});
