/** Nodes that are asked to end while PostgreSQL is away from them: they end with 0, and whoever was answered is told the same by the next owner. */
import { describe, expect, it } from 'vitest';
import { findPostgres } from '../cluster/postgres-service.ts';
import { startNodes } from './cluster-nodes.ts';
import type { LogRecord, ServerProcess } from './server.ts';

const url = await findPostgres();
const service = url ?? 'postgres://nowhere/';
const TIMEOUT = { timeout: 120_000 };
const LEFT_BEHIND =
  'the last changes could not be written to the log: whoever owns next goes on without them, and tasks that have ended here may run again';

/** Two nodes, the first of which owns. It has answered for what is in `echo`, and for two items in `p` that are at the gate. */
async function working(more: Record<string, string> = {}) {
  const made = await startNodes(service, ['a', 'b'], () => more, { isProxied: true });
  const { owner, others } = await made.parted();
  const [follower] = others as [ServerProcess];
  expect((await follower.post('/pipelines/echo/run', { items: [{ id: 'done' }] })).status).toBe(200);
  const items = ['one', 'two'].map((id) => ({ id, gate: made.gate.url }));
  expect((await follower.post('/pipelines/p/feed', { feedId: 'f', items })).body).toMatchObject({ accepted: 2 });
  await made.gate.arrived(2);
  return { ...made, owner, follower };
}

/** The end of a node that has nothing to be sorry for. */
async function endOf(node: ServerProcess): Promise<{ report: LogRecord; leftBehind: unknown[] }> {
  expect(await node.exited, JSON.stringify(node.log.slice(-8))).toEqual({ code: 0, signal: null });
  expect([node.stderr, node.noise]).toEqual(['', []]);
  const report = node.log.at(-1) as LogRecord;
  expect(report).toMatchObject({ msg: 'shutdown report', level: 30, notKept: 0, notKeptIds: [], timedOut: false });
  return { report, leftBehind: node.records(LEFT_BEHIND).map(({ itemIds }) => (itemIds as string[]).sort()) };
}

/** Everything that was answered is at this node, and ends there. */
async function hasAll(node: ServerProcess): Promise<void> {
  expect((await node.post('/pipelines/p/feeds/f/wait')).body).toMatchObject({ total: 2, completed: 2 });
  const { results } = (await node.get('/pipelines/p/results')).body;
  expect(results.map(({ id }: { id: string }) => id).sort()).toEqual(['one', 'two']);
  expect((await node.get('/pipelines/echo/items/done')).body).toMatchObject({ status: 'completed' });
}

describe.skipIf(url === null)('SIGTERM', () => {
  it('to an owner that is cut off ends it with 0; nothing that was answered is missing at the next one', TIMEOUT, async () => {
    const { owner, follower, gate, before } = await working();
    before(owner).isCutOff = true;
    owner.signal('SIGTERM');
    await owner.logged('shutting down');
    gate.open();
    const { report, leftBehind } = await endOf(owner);
    expect(report.finished).toBe(2);
    expect(leftBehind).toEqual([['one', 'two']]);
    await hasAll(follower);
    follower.signal('SIGTERM');
    await endOf(follower);
  });

  it('to a follower that is cut off ends it with 0, and the owner goes on', TIMEOUT, async () => {
    const { owner, follower, gate, before } = await working();
    before(follower).isCutOff = true;
    follower.signal('SIGTERM');
    expect((await endOf(follower)).leftBehind).toEqual([]);
    gate.open();
    await hasAll(owner);
    owner.signal('SIGTERM');
    await endOf(owner);
  });

  it('to an owner whose last answer is lost ends it with 0, and nothing runs again', TIMEOUT, async () => {
    // Nobody takes over because this machine is slow.
    const { owner, follower, gate, before } = await working({ LEASE_SECONDS: '30' });
    owner.signal('SIGTERM');
    await owner.logged('shutting down');
    const proxy = before(owner);
    const cut = Promise.withResolvers<void>();
    proxy.onRequest = (bytes, connection) => {
      if (!bytes.includes('with added as')) return 'pass';
      proxy.onRequest = () => 'pass';
      connection.isCutAtAnswer = true;
      cut.resolve();
      return 'pass';
    };
    gate.open();
    await cut.promise;
    await endOf(owner);
    await hasAll(follower);
    expect(gate.visits).toBe(2);
    follower.signal('SIGTERM');
    await endOf(follower);
  });

  it('to an owner that is replaced before its items have ended ends it with 0', TIMEOUT, async () => {
    const { owner, follower, gate, before } = await working({ SHUTDOWN_TIMEOUT_SECONDS: '3600' });
    owner.signal('SIGTERM');
    await owner.logged('shutting down');
    before(owner).isCutOff = true;
    await follower.logged('the pipelines go on here');
    // One of the two begins again there, since the last owner did not leave in order.
    await gate.arrived(3);
    before(owner).isCutOff = false;
    const { report, leftBehind } = await endOf(owner);
    expect([report.finished, report.aborted, leftBehind]).toEqual([0, 0, []]);
    gate.open();
    await hasAll(follower);
    follower.signal('SIGTERM');
    await endOf(follower);
  });
});
