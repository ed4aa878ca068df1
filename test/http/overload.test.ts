import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Intake } from '../../src/http/guards/intake.ts';
import { Overload } from '../../src/http/guards/overload.ts';
import { turn, VirtualClock } from '../engine/virtual-clock.ts';
import { create, definition, feed, get, post, run, type Service, type ServiceOptions, startService } from './app-harness.ts';
import { RawClient } from './raw-client.ts';
import { eventually } from './sse-harness.ts';

async function serve(options: ServiceOptions = {}): Promise<{ service: Service; overload: Overload; clock: VirtualClock }> {
  const overload = new Overload();
  const clock = new VirtualClock();
  const service = await startService({ overload, clock, ...options });
  onTestFinished(() => service[Symbol.asyncDispose]());
  await create(service, definition('p'));
  return { service, overload, clock };
}

const NDJSON = { 'content-type': 'application/x-ndjson' };

describe('while the service is overloaded', () => {
  it('feed and run are refused, in JSON and in NDJSON, and told when to come again', async () => {
    const { service, overload } = await serve();
    overload.say('its event loop is 0.8 s late');
    const answers = [
      await feed(service, 'p', ['a']),
      await run(service, 'p', ['b']),
      await service.app.inject({ method: 'POST', url: '/pipelines/p/feed', headers: NDJSON, payload: '"c"\n' }),
      await service.app.inject({
        method: 'POST',
        url: '/pipelines/p/run',
        headers: { ...NDJSON, accept: 'application/x-ndjson' },
        payload: '"d"\n',
      }),
    ];
    for (const answer of answers) {
      expect(answer.statusCode).toBe(503);
      expect(answer.headers['content-type']).toMatch(/^application\/problem[+]json/);
      expect(answer.json()).toMatchObject({
        code: 'overloaded',
        detail: 'the service has more to do than it can: its event loop is 0.8 s late',
        fix: expect.stringContaining('Retry-After'),
      });
    }
    // Not all at the same time.
    expect(answers.map(({ headers }) => headers['retry-after'])).toEqual(['1', '2', '3', '1']);
    expect((await get(service, '/pipelines/p/stats')).json()).toMatchObject({ itemsProcessed: 0, itemsInFlight: 0 });
    expect(service.logs.filter(({ level }) => (level as number) >= 50)).toEqual([]);
  });

  it('whoever looks, and whoever operates, is answered', async () => {
    const { service, overload } = await serve();
    await run(service, 'p', [{ id: 'a' }]);
    overload.say('95 % of its memory is in use');
    for (const url of [
      '/livez',
      '/readyz',
      '/pipelines',
      '/pipelines/p/stats',
      '/pipelines/p/items/a',
      '/pipelines/p/results',
      '/limiters',
    ])
      expect((await get(service, url)).statusCode, url).toBe(200);
    for (const url of ['/pipelines/p/pause', '/pipelines/p/resume']) expect((await post(service, url)).statusCode, url).toBe(200);
    expect((await create(service, definition('q'))).statusCode).toBe(201);
    expect((await get(service, '/readyz?verbose')).json()).toMatchObject({ overloaded: '95 % of its memory is in use' });
    overload.say(null);
    expect((await get(service, '/readyz?verbose')).json()).toMatchObject({ overloaded: null });
    expect((await feed(service, 'p', ['b'])).statusCode).toBe(202);
  });

  /** An NDJSON upload whose first item is in its task. */
  async function upload() {
    const { service, overload } = await serve();
    await create(service, definition('g', 'gated', { workers: 5 }));
    await service.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = service.app.server.address() as { port: number };
    const body = new PassThrough();
    const answer = fetch(`http://127.0.0.1:${port}/pipelines/g/feed`, {
      ...{ method: 'POST', headers: NDJSON, duplex: 'half' },
      body: body as never,
    } as RequestInit);
    body.write('{"id":"a"}\n');
    await service.held(1);
    return { service, overload, body, answer };
  }

  it('an upload that has begun pauses and goes on, and loses nothing', async () => {
    const { service, overload, body, answer } = await upload();
    overload.say('its event loop is 0.8 s late');
    body.end('{"id":"b"}\n{"id":"c"}\n');
    // Other requests go all the way meanwhile.
    for (let i = 0; i < 10; i++) expect((await feed(service, 'g', ['d'])).statusCode).toBe(503);
    expect(await service.host.get('g').stats()).toMatchObject({ itemsInFlight: 1 });
    overload.say(null);
    expect(await (await answer).json()).toMatchObject({ accepted: 3, duplicates: 0 });
    await service.held(3);
  });

  it('an upload that pauses does not keep the service from closing', async () => {
    const { service, overload, body, answer } = await upload();
    overload.say('its event loop is 0.8 s late');
    body.end('{"id":"b"}\n');
    for (let i = 0; i < 10; i++) expect((await feed(service, 'g', ['d'])).statusCode).toBe(503);
    const closed = service.app.close();
    expect(await (await answer).json()).toMatchObject({ accepted: 2 });
    await closed;
  });

  it('a refused small body does not cost the connection', async () => {
    const { service, overload } = await serve();
    await service.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = service.app.server.address() as { port: number };
    overload.say('its event loop is 0.8 s late');
    const body = '{"items":["a"]}';
    const request = `POST /pipelines/p/feed HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    const client = await RawClient.open(port, ['POST', 'POST']);
    onTestFinished(() => client.reset());
    client.send(request);
    await client.answered(1);
    overload.say(null);
    client.send(request);
    expect((await client.answered(2)).map(({ status }) => status)).toEqual([503, 202]);
  });
});

describe('requests that bring items', () => {
  /** Requests that wait since the turn that has begun is over. */
  async function crowd(options: ServiceOptions = {}) {
    const { service, clock, overload } = await serve(options);
    await clock.settle();
    const first = await feed(service, 'p', ['first']);
    expect(first.statusCode).toBe(202);
    clock.block(6);
    return { service, clock, overload };
  }

  it('wait for the next turn when this one has been theirs for 5 ms, and are answered as usual then', async () => {
    const { service, clock } = await crowd();
    let answered = 0;
    const waiting = ['b', 'c'].map((id) => feed(service, 'p', [{ id }]).finally(() => answered++));
    await get(service, '/pipelines/p/stats');
    expect(answered).toBe(0);
    await clock.settle();
    for (const answer of await Promise.all(waiting)) expect(answer.statusCode).toBe(202);
  });

  it('that have waited for five seconds are refused', async () => {
    const { service, clock } = await crowd();
    const waiting = feed(service, 'p', ['b']);
    await get(service, '/livez');
    clock.block(5001);
    await clock.settle();
    const answer = await waiting;
    expect(answer.statusCode).toBe(503);
    expect(answer.json()).toMatchObject({
      code: 'overloaded',
      detail: 'the service has more to do than it can: requests with items wait 5.0 s for their turn',
    });
  });

  it('are refused unread when others wait and the backlog is full, unless they would wait for room', async () => {
    const { service, clock } = await serve({ backlogCapacity: 1 });
    await create(service, { ...definition('full'), backlogCapacity: 1, start: false });
    await feed(service, 'full', [{ id: 'a' }]);
    await clock.settle();
    // With time to spare the items are read: they may be known already.
    expect((await feed(service, 'full', [{ id: 'a' }])).json()).toMatchObject({ accepted: 0, duplicates: 1 });
    expect((await feed(service, 'full', [{ id: 'b' }])).json()).toMatchObject({ code: 'queue-full' });
    clock.block(6);
    const url = '/pipelines/full/feed';
    const unread = post(service, url, { items: [{ id: 'b' }] });
    const patient = post(service, `${url}?wait=0.01`, { items: [{ id: 'b' }] });
    const last = post(service, url, { items: [{ id: 'a' }] });
    await get(service, '/livez');
    await clock.settle();
    expect((await unread).json()).toMatchObject({ status: 429, code: 'queue-full', detail: 'the backlog has no room' });
    expect((await patient).json()).toMatchObject({ code: 'queue-full' });
    // Nobody waits behind it.
    expect((await last).json()).toMatchObject({ duplicates: 1 });
  });

  it('are told of a shutdown that began while they waited', async () => {
    const { service, clock } = await crowd();
    const waiting = feed(service, 'p', ['b']);
    await get(service, '/livez');
    const ended = service.host.shutdown('graceful', 1);
    await clock.settle();
    expect((await waiting).json()).toMatchObject({ code: 'shutting-down' });
    await ended;
  });

  it('whose client has gone while they waited are let go', async () => {
    const { service, clock } = await crowd();
    await service.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = service.app.server.address() as { port: number };
    const client = await RawClient.open(port, ['POST', 'POST']);
    const arrived = once(service.app.server, 'request');
    client.send(
      'POST /pipelines/p/feed HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{"items":["b"]}',
    );
    const [raw] = (await arrived) as [{ socket: { destroyed: boolean } }];
    client.reset();
    await eventually(() => raw.socket.destroyed);
    await clock.settle();
    await turn();
    expect(await service.host.get('p').stats()).toMatchObject({ itemsInFlight: 0 });
    expect(await feed(service, 'p', ['c'])).toMatchObject({ statusCode: 202 });
  });
});

describe('the intake', () => {
  it('lets in one after the other in the order in which they came, each turn as many as fit', async () => {
    const clock = new VirtualClock();
    const intake = new Intake(clock);
    const log: [number, number][] = [];
    const began = clock.monotonic();
    // Each of them works for 2 ms.
    const come = (no: number): void => {
      intake.let(() => {
        log.push([no, clock.monotonic() - began]);
        clock.block(2);
      });
    };
    for (let no = 0; no < 6; no++) come(no);
    expect(log.map(([no]) => no)).toEqual([0, 1, 2]);
    expect(intake.isBusy).toBe(true);
    await clock.settle();
    expect(log.map(([no]) => no)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(intake.isBusy).toBe(false);
  });

  it('keeps the order however many wait', async () => {
    const clock = new VirtualClock();
    const intake = new Intake(clock);
    const seen: number[] = [];
    for (let no = 0; no < 5000; no++) {
      intake.let(() => {
        seen.push(no);
        clock.block(1);
      });
    }
    await clock.settle();
    expect(seen).toEqual(Array.from({ length: 5000 }, (_, no) => no));
  });
});
