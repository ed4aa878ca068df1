import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { type AnyEvent, type ConnectionState, createSluice, dataOf } from '../../src/client/index.ts';
import { numbers, PATIENCE, world } from './world.ts';

const asOfP = async (sluice: ReturnType<typeof createSluice>): Promise<string> =>
  (await dataOf(sluice.api.GET('/pipelines/{id}/stats', { params: { path: { id: 'p' } } }))).asOf;

describe('follow', () => {
  it('has each event once and in order, though the connection breaks again and again', async () => {
    const { sluice, url, proxy } = await world({ cuts: [{ down: 3000 }, { down: 90 }, { down: 20_000 }, { down: 6000 }] });
    const after = await asOfP(createSluice({ url }));
    await createSluice({ url }).feed('p', numbers(500));
    const states: ConnectionState['state'][] = [];
    const ended: string[] = [];
    const ids: number[] = [];
    for await (const event of sluice.follow('p', { after, patience: PATIENCE, onState: ({ state }) => void states.push(state) })) {
      if ('id' in event) ids.push(Number(event.id.split('-').at(-1)));
      if (event.event === 'status' && event.data.final) ended.push(event.data.itemId);
      if (event.event === 'feed') break;
      expect(event.event).not.toBe('gap');
    }
    expect(new Set(ended).size).toBe(500);
    expect(ended).toHaveLength(500);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
    expect(proxy.cuts).toEqual([]);
    expect(states.filter((state) => state === 'waiting').length).toBeGreaterThanOrEqual(3);
  });

  it('tries another connection when one has been silent for too long, as after a machine has slept', async () => {
    const { sluice, url, proxy } = await world({ sseHeartbeatSeconds: 3600 });
    const direct = createSluice({ url });
    const after = await asOfP(direct);
    const waits: (Error | null)[] = [];
    const opened = Promise.withResolvers<void>();
    const events = sluice.follow('p', {
      after,
      silenceSeconds: 0.5,
      patience: PATIENCE,
      onState(state) {
        if (state.state === 'open' && waits.length === 0) {
          proxy.muteAll();
          opened.resolve();
        }
        if (state.state === 'waiting') waits.push(state.error);
      },
    });
    const first = events.next();
    await opened.promise;
    await direct.feed('p', [{ id: 'a' }]);
    expect(await first).toMatchObject({ value: { event: 'status', data: { itemId: 'a', status: 'queued' } } });
    await events.return(undefined);
    expect(waits[0]).toMatchObject({ name: 'SluiceUnreachable', message: 'nothing came for 0.5 s' });
  });

  it('goes on from where it was without a gap, though the filter has kept every event from it', async () => {
    const { sluice, url, proxy } = await world();
    const direct = createSluice({ url });
    const asked: string[] = [];
    const watched: typeof fetch = (input, init) => {
      asked.push(new URL(String(input)).searchParams.get('after') ?? 'none');
      return fetch(input, init);
    };
    const following = createSluice({ url: proxy.url, fetch: watched });
    const names: string[] = [];
    for await (const { event } of following.follow('p', { types: ['status'], itemId: 'nope', snapshotSeconds: 0.1, patience: PATIENCE })) {
      names.push(event);
      if (names.length === 1) {
        const { feedId } = await direct.feed('p', numbers(3));
        await direct.wait('p', feedId);
      }
      // One that has come already may be read after its connection has ended.
      if (asked.length < 4) proxy.cutAll();
      else break;
    }
    expect(new Set(names)).toEqual(new Set(['snapshot']));
    expect(asked).toEqual(['none', ...Array(3).fill(expect.stringMatching(/^\w+-\d+$/))]);
    expect(await dataOf(sluice.api.GET('/pipelines/{id}/stats', { params: { path: { id: 'p' } } }))).toMatchObject({ itemsProcessed: 3 });
  });

  it('is not silent while its reader is busy', async () => {
    const { sluice } = await world();
    const after = await asOfP(sluice);
    await sluice.feed('p', [{ id: 'a' }]);
    const states: string[] = [];
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    for await (const event of sluice.follow('p', { after, onState: ({ state }) => void states.push(state) })) {
      await vi.advanceTimersByTimeAsync(60_000);
      if (event.event === 'feed') break;
    }
    expect(states).toEqual(['connecting', 'open']);
  });

  it('ends without an error when its signal aborts, also between two connections', async () => {
    const { sluice } = await world();
    const stop = new AbortController();
    const open = Promise.withResolvers<void>();
    const first = sluice.follow('p', { signal: stop.signal, onState: ({ state }) => state === 'open' && open.resolve() }).next();
    await open.promise;
    stop.abort();
    expect(await first).toEqual({ done: true, value: undefined });

    const again = new AbortController();
    const away = createSluice({ url: 'http://127.0.0.1:1' });
    const onState = ({ state }: ConnectionState): void => {
      if (state === 'waiting') again.abort();
    };
    const events = away.followAll({ signal: again.signal, onState, patience: { firstSeconds: 3600, maxSeconds: 3600 } });
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  it('ends with the problem of a pipeline that is removed', async () => {
    const { sluice } = await world();
    const seen: string[] = [];
    const following = (async () => {
      for await (const event of sluice.follow('p', { patience: PATIENCE, onState: ({ state }) => state === 'open' && void remove() }))
        seen.push(event.event);
    })();
    const remove = () => sluice.api.DELETE('/pipelines/{id}', { params: { path: { id: 'p' } } });
    await expect(following).rejects.toMatchObject({ code: 'pipeline-not-found' });
    expect(seen.at(-1)).toBe('bye');
  });

  it('follows all pipelines, with what is asked for of some', async () => {
    const { sluice } = await world();
    const events: AnyEvent[] = [];
    for await (const event of sluice.followAll({
      types: ['result', 'feed'],
      pipelineId: ['p'],
      onState: ({ state }) => state === 'open' && void feed(),
    })) {
      events.push(event);
      if (event.event === 'feed') break;
    }
    function feed(): Promise<unknown> {
      return sluice.feed('p', [{ id: 'a', value: 1 }]);
    }
    expect(events.map(({ event }) => event)).toEqual(['result', 'feed']);
    expect(events[0]).toMatchObject({ data: { pipelineId: 'p', id: 'a', value: 1 } });
    const all = sluice.followAll({ overviewSeconds: 60, statsSeconds: 60, statsFor: ['p'] });
    const first = [(await all.next()).value, (await all.next()).value] as AnyEvent[];
    await all.return(undefined);
    expect(first.map(({ event }) => event).sort()).toEqual(['overview', 'stats']);
  });
});

describe('answers of a server', () => {
  /** A server that gives these answers one after the other. */
  async function answering(...answers: { status: number; headers?: Record<string, string>; body?: string }[]) {
    const asked: { url: string | undefined; at: number }[] = [];
    const server = createServer(({ url }, response) => {
      asked.push({ url, at: performance.now() });
      const { status, headers = {}, body = '' } = answers.shift() ?? { status: 404 };
      response.writeHead(status, headers).end(body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    return { asked, sluice: createSluice({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/` }) };
  }
  const STREAM = { 'content-type': 'text/event-stream' };
  const event = (id: string): string => `id: ${id}\nevent: status\ndata: {"itemId":"${id}"}\n\n`;

  it('waits as long as Retry-After says, and asks for what came after the last event', async () => {
    const busy = { status: 503, headers: { 'retry-after': '1' }, body: '{}' };
    const { sluice, asked } = await answering({ status: 200, headers: STREAM, body: event('e-1') }, busy, {
      status: 200,
      headers: STREAM,
      body: `${event('e-2')}event: bye\ndata: {}\n\n`,
    });
    const seen: unknown[] = [];
    await expect(
      (async () => {
        for await (const message of sluice.follow('a/b', { patience: PATIENCE, types: ['status', 'task'] })) seen.push(message.event);
      })(),
    ).rejects.toMatchObject({ code: 'http-404', status: 404 });
    expect(seen).toEqual(['status', 'status', 'bye']);
    expect(asked.map(({ url }) => url)).toEqual([
      '/base/pipelines/a%2Fb/events?types=status&types=task',
      ...Array(2).fill('/base/pipelines/a%2Fb/events?types=status&types=task&after=e-1'),
      '/base/pipelines/a%2Fb/events?types=status&types=task&after=e-2',
    ]);
    expect((asked[2]?.at ?? 0) - (asked[1]?.at ?? 0)).toBeGreaterThan(990);
  });

  // The service itself says where it is at once; what comes from elsewhere may not.
  it('tells of a gap when the connection broke before there was any id to go on from', async () => {
    const { sluice, asked } = await answering(
      { status: 200, headers: STREAM, body: 'retry: 1000\n\nid: e-0' },
      { status: 200, headers: STREAM, body: event('e-1') },
    );
    const events = sluice.follow('p', { patience: PATIENCE });
    expect((await events.next()).value).toEqual({ event: 'gap', data: { missed: null, oldest: '' } });
    expect((await events.next()).value).toMatchObject({ event: 'status', id: 'e-1' });
    await events.return(undefined);
    expect(asked.map(({ url }) => url)).toEqual(Array(2).fill('/base/pipelines/p/events'));
  });

  it.each([
    ['alone', 'id: e-7\n\n'],
    ['behind an event', `${event('e-1')}:\n\nid: e-7\n\nevent: snapshot\ndata: {}\n\n`],
    ['with other ends of lines', `id: e-6\r\n\r\n:\r\n\r\nid:e-7\r\n\r\n`],
    ['before an event that is cut', `id: e-7\n\n${event('e-8').slice(0, -1)}`],
  ])('move the position by an id without an event, %s', async (_, body) => {
    const { sluice, asked } = await answering(
      { status: 200, headers: STREAM, body: `retry: 1000\n\n${body}` },
      { status: 200, headers: STREAM, body: event('e-9') },
    );
    const names: string[] = [];
    for await (const message of sluice.follow('p', { patience: PATIENCE })) {
      names.push(message.event);
      if (message.event === 'status' && message.id === 'e-9') break;
    }
    expect(names).not.toContain('gap');
    expect(asked.map(({ url }) => url)).toEqual(['/base/pipelines/p/events', '/base/pipelines/p/events?after=e-7']);
  });

  it('are problems also when something else gives them', async () => {
    const { sluice } = await answering({ status: 404, headers: { 'content-type': 'text/html' }, body: '<h1>nginx</h1>' });
    await expect(sluice.wait('p', 'f')).rejects.toMatchObject({ code: 'http-404', detail: 'HTTP 404 Not Found: <h1>nginx</h1>' });
  });
});
