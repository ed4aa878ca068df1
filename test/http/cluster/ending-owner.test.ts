import { describe, expect, it } from 'vitest';
import { definition } from '../app-harness.ts';
import { Duplex } from '../duplex.ts';
import { type Member, startCluster } from './cluster-harness.ts';
import { reach } from './wire.ts';

/** More than a connection has at once, with few items. */
const lines = (count: number): string =>
  Array.from({ length: count }, (_, i) => `{"id":"item-${i}","value":"${'x'.repeat(300)}"}`).join('\n');

/** Three nodes, the first of which owns. */
async function owned(options: Parameters<typeof startCluster>[1] = {}) {
  const all = await startCluster(3, options);
  const { cluster, ask, members } = all;
  await cluster.elect('a');
  for (const [id, task] of [
    ['p', 'echo'],
    ['gated', 'gated'],
  ] as const)
    await ask('a', 'POST', '/pipelines', definition(id, task));
  const [a, b] = ['a', 'b'].map((name) => members[name] as Member) as [Member, Member];
  return { ...all, a, b };
}

/** The same. The owner is asked to end, and finishes an item that runs: `finished` resolves when it has. */
async function ending(options: Parameters<typeof startCluster>[1] = {}) {
  const all = await owned(options);
  const { ask, gate, a } = all;
  await ask('a', 'POST', '/pipelines/gated/feed', { feedId: 'long', items: [{ id: 'one' }] });
  await gate.arrived('one');
  const finished = a.clustered.host.shutdown('graceful', 60);
  const counted = async (measure: string): Promise<number> =>
    Number(new RegExp(`^${measure} (\\d+)`, 'm').exec((await ask('b', 'GET', '/metrics')).body)?.[1]);
  return { ...all, finished, counted, waiting: () => counted('sluice_cluster_waiting_requests') };
}

describe('an owner that ends, and finishes a long item first', () => {
  it('still answers reads, and what ends work', async () => {
    const { ask, finished } = await ending();
    expect((await ask('b', 'GET', '/pipelines/p/stats')).status).toBe(200);
    expect((await ask('b', 'DELETE', '/pipelines/gated/feeds/long')).status).toBe(200);
    await finished;
  });

  it.each(['b', 'c'])('has what it takes no more wait at the other nodes for the next one: %s', async (next) => {
    const { cluster, ask, gate, finished, counted, waiting } = await ending();
    const changes = [
      ask('b', 'POST', '/pipelines/p/feed', { feedId: 'json', items: [{ id: 'of-json' }] }),
      ask('b', 'POST', '/pipelines/p/feed?feedId=lines', lines(500)),
      ask('b', 'POST', '/pipelines/p/run', { items: [{ id: 'of-run' }] }),
      ask('b', 'POST', '/pipelines/gated/pause'),
      ask('b', 'PUT', '/pipelines/q', { stages: [{ name: 'S', tasks: ['echo'] }] }),
      ask('b', 'GET', '/pipelines/gated/feeds/long/results?follow=true'),
    ];
    await reach(async () => (await waiting()) === changes.length);
    expect((await ask('b', 'GET', '/pipelines')).body.pipelines).toHaveLength(2);
    const refused = await counted('sluice_cluster_relayed_requests_total\\{outcome="refused"\\}');
    gate.open('one');
    await finished;
    await cluster.elect(next);
    const [json, rows, run, paused, put, followed] = await Promise.all(changes);
    expect([json?.status, json?.body.accepted]).toEqual([202, 1]);
    expect([rows?.status, rows?.body.accepted, rows?.body.duplicates]).toEqual([202, 500, 0]);
    expect([run?.status, run?.body.results?.length ?? run?.body.code]).toEqual([200, 1]);
    expect([paused?.status, put?.status, followed?.status]).toEqual([200, 201, 200]);
    // It was asked once for each, and not again and again.
    expect(refused).toBe(changes.length);
  });

  it('is named when the time is up', async () => {
    const { ask } = await ending({ takeoverWaitSeconds: 0.05 });
    for (const [method, path, body] of [
      ['POST', '/pipelines/p/feed', { items: [1] }],
      ['POST', '/pipelines/p/pause', undefined],
      ['GET', '/pipelines/gated/feeds/long/results?follow=true', undefined],
    ] as const) {
      const { status, headers, body: problem } = await ask('b', method, path, body);
      expect([status, problem.code, headers.get('retry-after'), headers.get('sluice-not-here')]).toEqual([503, 'no-owner', '2', null]);
      expect(problem.detail).toBe('no node serves: the owner a ends: it finishes what runs there, and takes nothing more');
    }
    expect((await ask('a', 'POST', '/pipelines/p/pause')).body.code).toBe('shutting-down');
  });

  it('leaves an upload whose lines are still coming to the next one, from its first line', async () => {
    const { cluster, b, gate, finished, ask, waiting } = await ending();
    const upload = new Duplex(`${b.url}/pipelines/p/feed?feedId=f`, { headers: { 'content-type': 'application/x-ndjson' } });
    upload.send('{"id":"first"}\n');
    await reach(async () => (await waiting()) === 1);
    gate.open('one');
    await finished;
    await cluster.elect('c');
    await reach(async () => (await ask('c', 'GET', '/pipelines/p/feeds/f')).body.total === 1);
    upload.finish('{"id":"second"}\n');
    expect([(await upload.whole()).statusCode, JSON.parse(upload.text).accepted]).toEqual([202, 2]);
  });

  it('lets go of who leaves meanwhile', async () => {
    const { b, waiting } = await ending();
    const upload = new Duplex(`${b.url}/pipelines/p/feed?feedId=f`, { headers: { 'content-type': 'application/x-ndjson' } });
    upload.send('{"id":"first"}\n');
    await reach(async () => (await waiting()) === 1);
    upload.hangUp();
    await reach(async () => (await waiting()) === 0);
  });
});

describe('an owner that has left', () => {
  it.each(['GET', 'POST'])('leaves what reaches it as it closes to the next one: %s', async (method) => {
    const { cluster, ask, a, gate, finished } = await ending();
    gate.open('one');
    await finished;
    // It has the request, and has not answered it.
    a.node.learn({ isServing: false });
    const asked = method === 'GET' ? ask('b', 'GET', '/pipelines/p') : ask('b', 'POST', '/pipelines/p/feed', { items: [{ id: 'two' }] });
    await reach(async () => /^sluice_cluster_waiting_requests 1/m.test((await ask('a', 'GET', '/metrics')).body));
    const closed = a.app.close();
    await reach(async () => /^sluice_cluster_waiting_requests 1/m.test((await ask('b', 'GET', '/metrics')).body));
    await cluster.elect('c');
    expect((await asked).status).toBe(method === 'GET' ? 200 : 202);
    await closed;
  });
});

describe('a connection between two nodes on which nothing is under way', () => {
  it('is not closed by an owner that ends, whose end might cross a request: the other node lets go of it', async () => {
    const { cluster, ask, a } = await owned();
    expect((await ask('b', 'GET', '/pipelines/p')).status).toBe(200);
    await a.clustered.host.shutdown('graceful', 60);
    let isClosed = false;
    const closed = a.app.close().then(() => {
      isClosed = true;
    });
    // A server that closes what is idle would have closed by the second one.
    for (let i = 0; i < 5; i++) expect((await ask('a', 'GET', '/livez')).status).toBe(200);
    expect(isClosed).toBe(false);
    await cluster.elect('c');
    await closed;
    expect((await ask('b', 'GET', '/pipelines/p')).status).toBe(200);
  });

  it('goes on with what still comes on it, and ends with the answer', async () => {
    const { cluster, ask, a } = await owned();
    expect((await ask('b', 'GET', '/pipelines/p')).status).toBe(200);
    await a.clustered.host.shutdown('graceful', 60);
    const closed = a.app.close();
    const asked = ask('b', 'POST', '/pipelines/p/feed', { items: [{ id: 'two' }] });
    await closed;
    await cluster.elect('c');
    expect((await asked).status).toBe(202);
  });
});

describe('an upload that is under way when its owner ends', () => {
  it.each(['a', 'b'])('is told so, with its feed and how much of it was accepted: %s', async (asked) => {
    const { members, ask, cluster, a } = await owned();
    const upload = new Duplex(`${members[asked]?.url}/pipelines/p/feed?feedId=f`, { headers: { 'content-type': 'application/x-ndjson' } });
    upload.send('{"id":"first"}\n');
    await reach(async () => (await ask('a', 'GET', '/pipelines/p/feeds/f')).body.total === 1);
    await a.clustered.host.shutdown('graceful', 5);
    const closed = a.app.close();
    await a.clustered.host.close();
    upload.send('{"id":"second"}\n');
    expect((await upload.whole()).statusCode).toBe(503);
    expect(JSON.parse(upload.text)).toMatchObject({ code: 'shutting-down', feedId: 'f', accepted: 1 });
    await closed;
    await cluster.elect('c');
    expect((await ask('c', 'GET', '/pipelines/p/feeds/f')).body).toMatchObject({ total: 1 });
  });
});
