import { describe, expect, it } from 'vitest';
import { findPostgres } from '../cluster/postgres-service.ts';
import { keyLine, secretOf } from '../http/access-harness.ts';
import { connect } from '../http/sse-harness.ts';
import { startNodes } from './cluster-nodes.ts';
import type { ServerProcess } from './server.ts';

const url = await findPostgres();
const service = url ?? 'postgres://nowhere/';
const TIMEOUT = { timeout: 120_000 };
describe.skipIf(url === null)('three nodes over PostgreSQL', () => {
  it('lose nothing when the owner is killed: feeders and readers go on at the others', TIMEOUT, async () => {
    const { parted, gate } = await startNodes(service, ['a', 'b', 'c']);
    const { owner, others } = await parted();
    const [b, c] = others as [ServerProcess, ServerProcess];
    const items = ['one', 'two', 'three'].map((id) => ({ id, gate: gate.url }));
    const first = await b.events('/pipelines/p/events');
    expect((await b.post('/pipelines/p/feed', { feedId: 'f', items })).body).toMatchObject({ accepted: 3 });
    await gate.arrived(3);
    await first.until(({ ids }) => ids.length >= 3);
    owner.signal('SIGKILL');
    await owner.exited;
    await first.until(({ closed }) => closed);
    const second = await connect(c.port, '/pipelines/p/events', { headers: { 'last-event-id': first.lastEventId } });
    gate.open();
    const again = await c.post('/pipelines/p/feed?append=true', { feedId: 'f', items: [...items, { id: 'four', gate: gate.url }] });
    expect([again.status, again.body.accepted, again.body.duplicates]).toEqual([202, 1, 3]);
    expect((await b.post('/pipelines/p/feeds/f/wait')).body).toMatchObject({ total: 4, completed: 4 });
    await second.until((client) => client.named('feed').length > 0);
    expect(second.named('gap')).toEqual([]);
    const ended = [...first.named('status'), ...second.named('status')].filter((event) => (event as { final: boolean }).final);
    expect(ended.map((event) => (event as { itemId: string }).itemId).sort()).toEqual(['four', 'one', 'three', 'two']);
    second.destroy();
  });

  it('are followed by another owner at once when the owner is asked to end', TIMEOUT, async () => {
    const { parted } = await startNodes(service, ['a', 'b']);
    const { owner, others } = await parted();
    const [b] = others as [ServerProcess];
    expect((await b.get('/pipelines/p')).body.state).toBe('running');
    await owner.stop();
    expect((await b.get('/pipelines/p')).body.state).toBe('running');
    expect((await b.get('/nodes')).body.nodes.filter(({ role }: { role: string }) => role === 'owner')).toHaveLength(1);
    await b.stop();
  });

  it('have the hands of all nodes at the one that owns, with keys and without the old owner', TIMEOUT, async () => {
    const { parted } = await startNodes(service, ['a', 'b'], () => ({ HANDS: '1', API_KEYS: keyLine('admin:admin') }));
    const { owner, others } = await parted();
    const [b] = others as [ServerProcess];
    const headers = { authorization: `Bearer ${secretOf('admin')}` };
    const connected = (node: ServerProcess, count: number) =>
      node.logged('a hand has connected', () => node.records('a hand has connected').length === count);
    await connected(owner, 2);
    const { hands } = (await b.call('GET', '/hands', undefined, headers)).body;
    expect(hands.map(({ missing, fault }: { missing: string[]; fault: string | null }) => [missing, fault])).toEqual([
      [[], null],
      [[], null],
    ]);
    owner.signal('SIGKILL');
    await connected(b, 1);
    const run = await b.call('POST', '/pipelines/echo/run', { items: [1] }, headers);
    expect([run.status, run.body.results[0].value]).toEqual([200, 1]);
    await b.stop();
  });

  it('take hands of others also where they start none themselves', TIMEOUT, async () => {
    const { parted, nodes, start } = await startNodes(service, ['a'], (name) => ({
      HANDS: name === 'a' ? '0' : '1',
      API_KEYS: keyLine('admin:admin'),
    }));
    const { owner } = await parted();
    const b = await start('b');
    nodes.set('b', b);
    await owner.logged('a hand has connected');
    const { body } = await b.call('GET', '/hands', undefined, { authorization: `Bearer ${secretOf('admin')}` });
    expect(body.hands).toHaveLength(1);
    await b.stop();
    await owner.stop();
  });
});
