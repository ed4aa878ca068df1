import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { keysOf, secretOf } from '../access-harness.ts';
import { definition } from '../app-harness.ts';
import { Duplex } from '../duplex.ts';
import { connect } from '../sse-harness.ts';
import { startCluster } from './cluster-harness.ts';
import { answerTo, reach } from './wire.ts';

const NDJSON = { 'content-type': 'application/x-ndjson' };
const gated = (id: string) => definition(id, 'gated');

describe('a node that follows', () => {
  it('answers as the owner does', async () => {
    const { cluster, ask } = await startCluster(2);
    await cluster.elect('a');
    const made = await ask('b', 'POST', '/pipelines', definition('p'));
    expect([made.status, made.body.id]).toEqual([201, 'p']);
    const items = [{ id: 'one' }, { id: 'two' }];
    expect((await ask('b', 'POST', '/pipelines/p/feed', { feedId: 'f', items })).body).toMatchObject({ feedId: 'f', accepted: 2 });
    await ask('b', 'POST', '/pipelines/p/feeds/f/wait');
    for (const path of ['/pipelines/p', '/pipelines/p/items?limit=1', '/pipelines/nothing', '/pipelines/p/items/one', '/no/route']) {
      const [here, there] = [await ask('a', 'GET', path), await ask('b', 'GET', path)];
      const of = ({ status, headers, body }: typeof here) => [
        status,
        headers.get('content-type'),
        headers.get('link'),
        body?.code ?? body?.id,
      ];
      expect([path, ...of(there)]).toEqual([path, ...of(here)]);
    }
    const head = await ask('b', 'HEAD', '/pipelines/p');
    expect([head.status, head.body]).toEqual([200, '']);
  });

  it('passes an upload on as it comes, and its answer', async () => {
    const { cluster, members, ask } = await startCluster(2);
    await cluster.elect('a');
    await ask('a', 'POST', '/pipelines', definition('p'));
    const upload = new Duplex(`${members.b?.url}/pipelines/p/feed?feedId=f`, { headers: NDJSON });
    upload.send('{"id":"one"}\n');
    await reach(async () => (await ask('a', 'GET', '/pipelines/p/feeds/f')).body.total === 1);
    upload.finish('{"id":"two"}\n');
    expect((await upload.whole()).statusCode).toBe(202);
    expect(JSON.parse(upload.text)).toMatchObject({ feedId: 'f', accepted: 2 });
  });

  it('takes no more of an upload than the owner does', async () => {
    const { cluster, gate, members, ask } = await startCluster(2, { backlogCapacity: 4 });
    await cluster.elect('a');
    await ask('a', 'POST', '/pipelines', gated('p'));
    const upload = request(`${members.b?.url}/pipelines/p/feed?wait=60&feedId=f`, { method: 'POST', headers: NDJSON, agent: false });
    upload.on('error', () => undefined);
    const answered = new Promise<number | undefined>((resolve) => upload.once('response', (message) => resolve(message.statusCode)));
    const line = `${JSON.stringify({ text: 'x'.repeat(500_000) })}\n`;
    // Sockets of the system take some megabytes; nothing else does.
    let [lines, taken] = [0, -1];
    await reach(async () => {
      while (!upload.writableNeedDrain && lines < 100) {
        upload.write(line);
        lines++;
      }
      const before = taken;
      taken = upload.socket?.bytesWritten ?? 0;
      await ask('a', 'GET', '/pipelines/p/feeds/f');
      return taken > 0 && taken === before;
    });
    expect(lines).toBeLessThan(100);
    upload.end();
    const release = setInterval(() => gate.open(), 1);
    expect(await answered).toBe(202);
    clearInterval(release);
  });

  it('answers an upload that is refused while it is being sent', async () => {
    const { cluster, members, ask } = await startCluster(2, { apiKeys: keysOf('boss:admin') });
    await cluster.elect('a');
    await ask('a', 'POST', '/pipelines', definition('p'), { authorization: `Bearer ${secretOf('boss')}` });
    const upload = new Duplex(`${members.b?.url}/pipelines/p/feed`, { headers: NDJSON });
    upload.send('{"id":"one"}\n');
    const { statusCode, headers } = await upload.response;
    expect([statusCode, headers['www-authenticate'], headers.connection]).toEqual([401, 'Bearer realm="sluice"', 'close']);
    await upload.until(() => upload.ended);
    expect(JSON.parse(upload.text).code).toBe('unauthenticated');
    upload.hangUp();
  });

  it('passes the rows of a run on while its items still come', async () => {
    const { cluster, members, ask } = await startCluster(2);
    await cluster.elect('a');
    await ask('a', 'POST', '/pipelines', definition('p'));
    const run = new Duplex(`${members.b?.url}/pipelines/p/run`, { headers: { ...NDJSON, accept: 'application/x-ndjson' } });
    run.send('{"id":"one"}\n');
    await run.until(() => run.lines.some(({ id }) => id === 'one'));
    run.finish('{"id":"two"}\n');
    expect((await run.whole()).statusCode).toBe(200);
    expect(run.text).toContain('"two"');
  });

  it('passes an event stream on, with the id to go on from', async () => {
    const { cluster, members, ask } = await startCluster(2);
    await cluster.elect('a');
    await ask('a', 'POST', '/pipelines', definition('p'));
    const port = members.b?.port as number;
    const first = await connect(port, '/pipelines/p/events');
    await ask('b', 'POST', '/pipelines/p/run', { items: [{ id: 'one' }] });
    await first.until(({ ids }) => ids.length >= 3);
    first.destroy();
    const second = await connect(port, '/pipelines/p/events', { headers: { 'last-event-id': first.lastEventId } });
    await ask('b', 'POST', '/pipelines/p/run', { items: [{ id: 'two' }] });
    await second.until(({ ids }) => ids.length >= 3);
    expect(second.ids[0]).toBe((first.ids.at(-1) as number) + 1);
    expect(second.named('gap')).toEqual([]);
    second.destroy();
  });

  it('ends at the owner what its client has left', async () => {
    const { cluster, members, ask } = await startCluster(2);
    await cluster.elect('a');
    await ask('a', 'POST', '/pipelines', definition('p'));
    const readers = async () => Number(/^sluice_sse_readers (\d+)/m.exec((await ask('a', 'GET', '/metrics')).body)?.[1]);
    const stream = await connect(members.b?.port as number, '/pipelines/p/events');
    await stream.until(({ retry }) => retry !== undefined);
    expect(await readers()).toBe(1);
    stream.destroy();
    await reach(async () => (await readers()) === 0);
    // An upload, too: what came of it is accepted, and nobody sends the rest any more.
    const upload = new Duplex(`${members.b?.url}/pipelines/p/feed?feedId=f`, { headers: NDJSON });
    upload.send('{"id":"one"}\n');
    const feed = async () => (await ask('a', 'GET', '/pipelines/p/feeds/f')).body;
    await reach(async () => (await feed()).total === 1);
    upload.hangUp();
    await reach(async () => (await feed()).done);
    expect((await feed()).uploadComplete).toBe(false);
  });

  it('answers for itself what is about a node', async () => {
    const { cluster, members, ask } = await startCluster(2);
    await cluster.elect('a');
    const about = async (name: string) => [
      (await ask(name, 'GET', '/readyz')).body.role,
      (await ask(name, 'GET', '/info')).body.role,
      /^sluice_cluster_role\{role="owner"\} (\d)/m.exec((await ask(name, 'GET', '/metrics')).body)?.[1],
    ];
    expect(await about('a')).toEqual(['owner', 'owner', '1']);
    expect(await about('b')).toEqual(['follower', 'follower', '0']);
    expect((await ask('b', 'GET', '/nodes')).body.nodes).toMatchObject([
      { name: 'a', role: 'owner', url: members.a?.url },
      { name: 'b', role: 'follower', url: members.b?.url },
    ]);
    expect((await ask('b', 'PUT', '/log-level', { level: 'warn' })).status).toBe(200);
    expect((await ask('a', 'GET', '/log-level')).body.level).toBe('debug');
    for (const path of ['/livez', '/openapi.json', '/docs']) expect((await ask('b', 'GET', path)).status).toBe(200);
    if (members.b !== undefined) members.b.node.nodes = () => Promise.reject(new Error('no answer'));
    expect(await ask('b', 'GET', '/nodes')).toMatchObject({ status: 503, body: { code: 'store-unavailable' } });
    members.b?.node.learn({ trouble: 'the log does not answer' });
    expect(await ask('b', 'GET', '/readyz')).toMatchObject({ status: 503, body: { code: 'store-unavailable' } });
  });
});

describe('the caller of a request that is passed on', () => {
  it('is known to the owner by its key, its address, its request id and its trace', async () => {
    const { cluster, members, ask } = await startCluster(2, { apiKeys: keysOf('boss:admin', 'reader:read') });
    await cluster.elect('a');
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const headers = { authorization: `Bearer ${secretOf('reader')}`, 'x-request-id': 'mine', traceparent };
    const refused = await ask('b', 'POST', '/pipelines', definition('p'), headers);
    expect([refused.status, refused.headers.get('x-request-id')]).toEqual([403, 'mine']);
    const line = members.a?.logs.find(({ msg }) => msg === 'refused');
    expect(line).toMatchObject({ key: 'reader', remoteAddress: '127.0.0.1', reqId: 'mine', traceparent, code: 'forbidden' });
    await ask('b', 'POST', '/pipelines', definition('p'), { ...headers, authorization: `Bearer ${secretOf('boss')}` });
    expect(members.a?.logs.find(({ audit }) => audit === true)).toMatchObject({ by: 'boss', reqId: 'mine' });
  });

  it('is refused by the node that it has asked, by the name that it has asked for', async () => {
    const { cluster, ask, members } = await startCluster(2);
    await cluster.elect('a');
    const answer = answerTo(members.b?.port as number, 'GET /pipelines HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n');
    await answer.over;
    expect(answer.text()).toMatch(/^HTTP\/1.1 421 /);
    expect((await ask('b', 'POST', '/pipelines', definition('p'), { origin: 'https://evil.example' })).body.code).toBe(
      'cross-site-request',
    );
  });

  it.each(['b 203.0.113.7 forged', `b 203.0.113.7 ${'A'.repeat(43)}`, ''])('cannot claim to be a node: %j', async (hop) => {
    const { cluster, ask } = await startCluster(2);
    await cluster.elect('a');
    for (const name of ['a', 'b']) {
      const { status, body } = await ask(name, 'GET', '/pipelines', undefined, { 'sluice-hop': hop });
      expect([status, body.code]).toEqual([403, 'forbidden']);
    }
  });
});

describe('requests do not go in circles', () => {
  it('when the owner gives the address of the node that has been asked as its own', async () => {
    const { cluster, members, ask } = await startCluster(2, { takeoverWaitSeconds: 0.05 });
    await cluster.elect('a');
    members.b?.node.learn({ owner: { node: 'a', url: members.b.url, epoch: 1 } });
    for (const [method, path] of [
      ['GET', '/pipelines'],
      ['POST', '/pipelines/p/feed'],
    ] as const) {
      const { status, body } = await ask('b', method, path, method === 'GET' ? undefined : { items: [] });
      expect([status, body.code, body.detail]).toEqual([
        503,
        'no-owner',
        expect.stringContaining('gives the NODE_URL of this node as its own'),
      ]);
    }
    expect((await ask('b', 'GET', '/metrics')).body).toMatch(/^sluice_cluster_relayed_requests_total\{outcome="refused"\} 0/m);
  });

  it('and an owner of the same name at another address is reached', async () => {
    const { cluster, members, ask } = await startCluster(2);
    await cluster.elect('a');
    members.b?.node.learn({ owner: { node: 'b', url: members.a?.url as string, epoch: 1 } });
    expect((await ask('b', 'POST', '/pipelines', definition('p'))).status).toBe(201);
    expect((await ask('b', 'GET', '/pipelines/p')).status).toBe(200);
  });

  it('when two nodes take each other for the owner', async () => {
    const { members, ask } = await startCluster(2, { takeoverWaitSeconds: 1 });
    const [a, b] = [members.a, members.b];
    a?.node.learn({ owner: { node: 'b', url: b?.url as string, epoch: 1 } });
    b?.node.learn({ owner: { node: 'a', url: a?.url as string, epoch: 1 } });
    const { status, body, headers } = await ask('a', 'POST', '/pipelines', definition('p'));
    expect([status, body.code, headers.get('retry-after'), headers.get('sluice-not-here')]).toEqual([503, 'no-owner', '2', null]);
    expect((await ask('b', 'GET', '/pipelines')).body.code).toBe('no-owner');
  });

  it('when nodes have different keys', async () => {
    const { cluster, members, ask } = await startCluster(3, { keysOf: (name) => [name === 'b' ? 'the key of b alone' : 'the key of all'] });
    await cluster.elect('a');
    for (const [method, path] of [
      ['GET', '/pipelines'],
      ['POST', '/pipelines'],
    ] as const) {
      const { status, body, headers } = await ask('b', method, path, method === 'GET' ? undefined : definition('p'));
      expect([status, body.code, body.fix, headers.get('sluice-hop-refused')]).toEqual([
        ...[403, 'forbidden', expect.stringContaining('CLUSTER_KEY'), null],
      ]);
    }
    expect((await ask('a', 'GET', '/pipelines')).status).toBe(200);
    const readiness = async () => Promise.all(['a', 'b', 'c'].map(async (name) => (await ask(name, 'GET', '/readyz')).status));
    expect([(await ask('c', 'GET', '/pipelines')).status, await readiness()]).toEqual([200, [200, 503, 200]]);
    expect((await ask('b', 'GET', '/readyz')).body.detail).toContain('the two have different CLUSTER_KEYs');
    const warned = () => members.b?.logs.filter(({ level, msg }) => level === 40 && String(msg).includes('CLUSTER_KEY')).length;
    expect(warned()).toBe(1);
    // It is a matter of the two.
    await cluster.elect('b');
    expect(await readiness()).toEqual([200, 200, 200]);
  });

  it('and a key that is being replaced is accepted', async () => {
    const old = 'the key that goes away';
    const { cluster, ask } = await startCluster(2, { keysOf: (name) => (name === 'a' ? ['the next key', old] : [old]) });
    await cluster.elect('a');
    expect((await ask('b', 'GET', '/pipelines')).status).toBe(200);
  });
});
