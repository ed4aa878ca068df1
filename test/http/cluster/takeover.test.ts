import { describe, expect, it } from 'vitest';
import { definition } from '../app-harness.ts';
import { Duplex } from '../duplex.ts';
import { connect, eventually } from '../sse-harness.ts';
import { type Member, startCluster } from './cluster-harness.ts';
import { answerTo, reach } from './wire.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };
const ROWS = { ...NDJSON, accept: 'application/x-ndjson' };

/** Three nodes, the first of which owns two pipelines: one whose items end at once, one whose items wait at the gate. */
async function owned(options: Parameters<typeof startCluster>[1] = {}) {
  const all = await startCluster(3, options);
  await all.cluster.elect('a');
  for (const [id, task] of [
    ['p', 'echo'],
    ['gated', 'gated'],
  ] as const)
    await all.ask('a', 'POST', '/pipelines', definition(id, task, { workers: 2 }));
  const [a, b, c] = ['a', 'b', 'c'].map((name) => all.members[name] as Member) as [Member, Member, Member];
  const waiting = async (member: Member): Promise<number> =>
    Number(/^sluice_cluster_waiting_requests (\d+)/m.exec((await all.ask(member.name, 'GET', '/metrics')).body)?.[1]);
  return { ...all, a, b, c, waiting };
}

describe('while nobody owns', () => {
  it.each(['b', 'c'])('a request waits, and is then carried out by whoever does: %s', async (next) => {
    const { cluster, ask, b, waiting } = await owned();
    await cluster.depose();
    cluster.forget();
    const fed = ask('b', 'POST', '/pipelines/p/feed', { feedId: 'f', items: [{ id: 'one' }] });
    const read = ask('b', 'GET', '/pipelines/p');
    await reach(async () => (await waiting(b)) === 2);
    await cluster.elect(next);
    expect([(await fed).status, (await fed).body.accepted, (await read).status]).toEqual([202, 1, 200]);
  });

  it('a request is refused after its time, with when to come again', async () => {
    const { cluster, ask } = await owned({ takeoverWaitSeconds: 0.05 });
    await cluster.depose();
    cluster.forget();
    for (const method of ['GET', 'POST']) {
      const { status, headers, body } = await ask('b', method, '/pipelines', method === 'GET' ? undefined : definition('q'));
      expect([status, headers.get('retry-after'), body.code]).toEqual([503, '2', 'no-owner']);
      expect(body.detail).toContain('the last owner is silent');
    }
  });

  it.each(['b', 'c'])('and the last owner takes no connection, a request waits with its body: %s', async (next) => {
    const { cluster, ask, a, b, waiting } = await owned();
    a.die();
    const lines = Array.from({ length: 20_000 }, (_, i) => `{"id":"item-${i}"}`).join('\n');
    const fed = ask('b', 'POST', '/pipelines/p/feed?feedId=f', lines);
    const one = ask('b', 'POST', '/pipelines/p/feed', { items: [{ id: 'of-json' }] });
    await reach(async () => (await waiting(b)) === 2);
    await cluster.elect(next);
    expect([(await fed).status, (await fed).body.accepted, (await one).body.accepted]).toEqual([202, 20_000, 1]);
  });
});

describe('an owner that is gone from one moment to the next', () => {
  it('leaves a change that it has not answered unknown', async () => {
    const { cluster, ask, gate, a } = await owned();
    const running = ask('b', 'POST', '/pipelines/gated/run', { items: [{ id: 'one' }] });
    await gate.arrived('one');
    a.die();
    const { status, body, headers } = await running;
    expect([status, body.code, headers.get('retry-after')]).toEqual([502, 'owner-lost', '2']);
    expect(body.detail).toContain('it is unknown whether it carried the request out');
    await cluster.elect('b');
    await gate.arrived('one');
  });

  it('leaves a read to the next one', async () => {
    const { cluster, ask, a } = await owned();
    // It has the request, and does not answer it.
    a.node.learn({ isServing: false });
    const read = ask('b', 'GET', '/pipelines/p');
    await reach(async () => /^sluice_cluster_waiting_requests 1/m.test((await ask('a', 'GET', '/metrics')).body));
    a.die();
    await cluster.elect('c');
    expect((await read).status).toBe(200);
  });

  it('cuts an answer off that has begun, so that it does not look whole', async () => {
    const { b, a } = await owned();
    const run = new Duplex(`${b.url}/pipelines/p/run`, { headers: ROWS });
    run.send('{"id":"one"}\n');
    await run.until(() => run.lines.some(({ id }) => id === 'one'));
    const message = await run.response;
    const isOver = new Promise((resolve) => message.once('close', resolve));
    a.die();
    await isOver;
    expect(message.complete).toBe(false);
  });

  it('also where the end of a connection would be the end of an answer', async () => {
    const { b, a, ask } = await owned();
    const answer = answerTo(b.port, 'GET /pipelines/p/events HTTP/1.0\r\nhost: localhost\r\n\r\n');
    await reach(async () => /^sluice_sse_readers 1/m.test((await ask('a', 'GET', '/metrics')).body));
    await eventually(() => answer.text().includes('retry:'));
    a.die();
    expect(await answer.over).toBe('reset');
  });
});

describe('an owner that is deposed', () => {
  it('ends all that it has begun, at once, for its own callers and for those of others', async () => {
    const { cluster, ask, gate, a, b } = await owned();
    const streams = [await connect(a.port, '/pipelines/p/events'), await connect(b.port, '/events')];
    const uploads = [a, b].map(({ url }, i) => new Duplex(`${url}/pipelines/p/feed?feedId=of-${i}`, { headers: NDJSON }));
    for (const upload of uploads) upload.send('{"x":1}\n');
    await reach(async () => (await ask('a', 'GET', '/pipelines/p/stats')).body.itemsFed === 2);
    const running = ['a', 'b'].map((name) => ask(name, 'POST', '/pipelines/gated/run', { items: [{ id: `of-${name}` }] }));
    await Promise.all([gate.arrived('of-a'), gate.arrived('of-b')]);
    await cluster.elect('c');
    for (const { status, body } of await Promise.all(running)) expect([status, body.code]).toEqual([502, 'owner-lost']);
    for (const upload of uploads) expect((await upload.response).statusCode).toBe(502);
    await eventually(() => streams.every(({ closed }) => closed));
    expect(streams.map(({ ended }) => ended)).toEqual([false, false]);
    expect((await ask('a', 'GET', '/pipelines/p')).status).toBe(200);
  });

  it('begins nothing more', async () => {
    const { cluster, ask, gate, a } = await owned();
    await ask('a', 'POST', '/pipelines/gated/feed', { items: [{ id: 'one' }, { id: 'two' }, { id: 'three' }] });
    await Promise.all([gate.arrived('one'), gate.arrived('two')]);
    await cluster.elect('b');
    await Promise.all([gate.arrived('one'), gate.arrived('two')]);
    gate.open('one');
    await gate.arrived('three');
    // Two here, the same two and one more there.
    expect(gate.begun).toBe(5);
    expect(a.logs.filter(({ level }) => (level as number) >= 50)).toEqual([]);
  });

  it('does so too when it never learns of it: the others let go', async () => {
    const { ask, gate, a, b, c } = await owned();
    const running = ask('b', 'POST', '/pipelines/gated/run', { items: [{ id: 'one' }] });
    await gate.arrived('one');
    b.node.learn({ owner: { node: 'c', url: c.url, epoch: 2 } });
    expect((await running).body.code).toBe('owner-lost');
    expect(a.node.isServing).toBe(true);
  });

  it('has its readers go on at any node, by the last id', async () => {
    const { cluster, ask, a, b } = await owned();
    const first = await connect(b.port, '/pipelines/p/events');
    await ask('b', 'POST', '/pipelines/p/run', { items: [{ id: 'one' }] });
    await first.until(({ ids }) => ids.length >= 3);
    await cluster.elect('c');
    await eventually(() => first.closed);
    const second = await connect(a.port, '/pipelines/p/events', { headers: { 'last-event-id': first.lastEventId } });
    await ask('b', 'POST', '/pipelines/p/run', { items: [{ id: 'two' }] });
    await second.until(({ named }) => named.call(second, 'feed').length > 0);
    const begin = first.events.find(({ id }) => id !== undefined)?.id as string;
    const whole = await connect(b.port, '/pipelines/p/events', { headers: { 'last-event-id': begin } });
    await whole.until(({ ids }) => ids.at(-1) === second.ids.at(-1));
    expect([...first.ids.slice(1), ...second.ids]).toEqual(whole.ids);
    expect(second.named('gap')).toEqual([]);
    for (const stream of [second, whole]) stream.destroy();
  });

  it('has readers of what was lost with it told so, and no others', async () => {
    const { cluster, ask, a, b } = await owned();
    const streams = ['/pipelines/p/events', '/events?pipelineId=p'];
    const firsts = await Promise.all(streams.map((path) => connect(b.port, path)));
    const run = async (...ids: string[]): Promise<void> => {
      await ask('b', 'POST', '/pipelines/p/run', { items: ids.map((id) => ({ id })) });
    };
    await run('one');
    for (const first of firsts) await first.until(({ named }) => named.call(first, 'feed').length === 1);
    const kept = firsts.map(({ lastEventId }) => lastEventId);
    cluster.keep();
    await run('lost', 'lost-too');
    for (const first of firsts) await first.until(({ named }) => named.call(first, 'feed').length === 2);
    const lost = firsts.map(({ lastEventId }) => lastEventId);
    await cluster.lose();
    await cluster.elect('c');
    await run('two', 'three', 'four');
    for (const [i, path] of streams.entries()) {
      const go = (id: string | undefined) => connect(a.port, path, { headers: { 'last-event-id': id as string } });
      const [goesOn, misses] = [await go(kept[i]), await go(lost[i])];
      for (const stream of [goesOn, misses])
        await stream.until(({ events }) => events.some(({ event, data }) => event === 'feed' && JSON.parse(data).total === 3));
      expect(goesOn.named('gap')).toEqual([]);
      const ids = goesOn.named('status').map((data) => (data as { itemId: string }).itemId);
      expect(new Set(ids)).toEqual(new Set(['two', 'three', 'four']));
      expect([misses.events.find(({ event }) => event !== undefined)?.event, misses.named('gap')]).toEqual([
        'gap',
        [{ missed: null, oldest: expect.stringMatching(/-1$/) }],
      ]);
      expect(misses.ids.slice(-goesOn.ids.length)).toEqual(goesOn.ids);
      for (const stream of [goesOn, misses]) stream.destroy();
    }
  });

  it('has pages of what operators did go on, unless that was lost', async () => {
    const { cluster, ask } = await owned();
    const audit = (cursor = '') => ask('b', 'GET', `/pipelines/p/audit?limit=1${cursor && `&cursor=${cursor}`}`);
    const act = async (...acts: string[]): Promise<void> => {
      for (const each of acts) await ask('b', 'POST', `/pipelines/p/${each}`);
    };
    await act('pause');
    const { nextCursor: kept } = (await audit()).body;
    cluster.keep();
    await act('resume', 'pause', 'resume');
    const { nextCursor: lost } = (await audit()).body;
    await cluster.elect('c');
    expect((await audit(lost)).body.changes).toMatchObject([{ action: 'paused' }]);
    await cluster.lose();
    await cluster.elect('a');
    await act('resume', 'pause', 'resume', 'pause', 'resume');
    expect((await audit(kept)).body.changes).toMatchObject([{ action: 'created' }]);
    expect((await audit(lost)).body.code).toBe('invalid-cursor');
  });

  it('leaves an upload that is sent again from its beginning with each item once', async () => {
    const { cluster, ask, b } = await owned();
    const lines = (from: number, to: number): string => Array.from({ length: to - from }, (_, i) => `{"id":"item-${from + i}"}\n`).join('');
    const upload = new Duplex(`${b.url}/pipelines/p/feed?feedId=f`, { headers: NDJSON });
    upload.send(lines(0, 500));
    await reach(async () => (await ask('b', 'GET', '/pipelines/p/feeds/f')).body.total === 500);
    await cluster.elect('c');
    expect((await upload.response).statusCode).toBe(502);
    const again = await ask('b', 'POST', '/pipelines/p/feed?feedId=f&append=true', lines(0, 1000));
    expect([again.status, again.body.accepted, again.body.duplicates]).toEqual([202, 500, 500]);
    expect((await ask('a', 'POST', '/pipelines/p/feeds/f/wait')).body).toMatchObject({ total: 1000, completed: 1000 });
  });
});

describe('an owner that cannot tell whether it still owns', () => {
  it('answers nothing: no read is older than the lease', async () => {
    const { ask, a } = await owned({ takeoverWaitSeconds: 0.05 });
    a.node.learn({ isServing: false });
    for (const name of ['a', 'b']) {
      expect(await ask(name, 'GET', '/pipelines/p')).toMatchObject({ status: 503, body: { code: 'no-owner' } });
      expect(await ask(name, 'POST', '/pipelines/p/pause')).toMatchObject({ status: 503, body: { code: 'no-owner' } });
    }
    expect(await ask('a', 'GET', '/readyz')).toMatchObject({ status: 503, body: { code: 'no-owner' } });
    expect((await ask('b', 'GET', '/readyz')).status).toBe(200);
    a.node.learn({ isServing: true });
    expect((await ask('b', 'GET', '/pipelines/p')).status).toBe(200);
  });
});

describe('a node that is asked to end', () => {
  it('ends the streams that it passes on, and answers what it can', async () => {
    const { b, gate, ask } = await owned();
    const stream = await connect(b.port, '/pipelines/p/events');
    const running = ask('b', 'POST', '/pipelines/gated/run', { items: [{ id: 'one' }] });
    await gate.arrived('one');
    const closed = b.app.close();
    await eventually(() => stream.closed);
    gate.open('one');
    expect((await running).status).toBe(200);
    await closed;
  });

  it('lets its own streams end in order when it owns', async () => {
    const { cluster, a, ask } = await owned();
    const stream = await connect(a.port, '/pipelines/p/events');
    await stream.until(({ retry }) => retry !== undefined);
    await a.clustered.host.shutdown('graceful', 5);
    await Promise.all([a.app.close(), a.clustered.host.close()]);
    // What was written to it is still on its way.
    await stream.until(({ ended, closed }) => ended || closed);
    expect([stream.ended, stream.events.some(({ event }) => event === 'bye')]).toEqual([true, true]);
    await cluster.elect('b');
    expect((await ask('c', 'GET', '/pipelines/p')).status).toBe(200);
  });
});
