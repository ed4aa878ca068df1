/** What a node that ends does about a log that is not as it should be: whoever was answered is told the same by the next owner, and nothing is said to be lost. */
import { describe, expect, it } from 'vitest';
import type { Fate } from '../fault-log.ts';
import { ENDS_WITHIN_MS, type EndingNode, EndingNodes, LEASE_MS } from './nodes.ts';

/** Two nodes. The first owns a pipeline that has acknowledged two items, which run; nothing of them is left to be written. */
async function running() {
  const nodes = new EndingNodes();
  const { clock, server } = nodes;
  const a = await nodes.start('a');
  await nodes.until(() => a.node.isServing);
  const b = await nodes.start('b');
  await nodes.until(() => b.node.owner?.node === 'a');
  const { host } = a.clustered;
  await clock.finish(host.create({ id: 'p', stages: [{ name: 'S', workers: 2, tasks: ['gated'] }] }));
  await clock.finish(host.get('p').feed([{ id: 'one' }, { id: 'two' }], {}));
  await Promise.all([a.gate.arrived('one'), a.gate.arrived('two')]);
  await clock.advance(100);
  return { nodes, clock, server, a, b };
}

/** From now on what this node appends comes to nothing, until it is told otherwise. */
function cutOff({ link }: EndingNode): () => void {
  link.fates.push(...Array.from({ length: 1000 }, (): Fate => 'lost'));
  link.isBlind = true;
  return () => {
    link.fates.length = 0;
    link.isBlind = false;
  };
}

async function resultsAt({ clustered }: EndingNode): Promise<unknown> {
  const { rows } = await clustered.host.get('p').results({ status: 'all', after: 0, limit: 100 });
  return rows.map(({ id, error }) => [id, error]).sort();
}

/** Lets a node that owns after a crash run so many items, which it takes one after the other. */
async function runsAgain(nodes: EndingNodes, { gate }: EndingNode, count: number): Promise<void> {
  await nodes.until(() => {
    const { begun, inside } = gate;
    gate.open();
    return begun === count && inside.length === 0;
  });
  await nodes.clock.advance(100);
}

const BOTH = [
  ['one', null],
  ['two', null],
];
const NOTHING_LOST = { notKept: 0, notKeptIds: [] };

describe('an owner that ends', () => {
  it('is followed by another within half a second, which runs nothing again', async () => {
    const { nodes, clock, a, b } = await running();
    const ending = a.end();
    await clock.settle();
    a.gate.open();
    const { report, closedAfterMs } = await clock.finish(ending);
    expect(report).toMatchObject({ finished: 2, timedOut: false, ...NOTHING_LOST });
    expect(closedAfterMs + (await nodes.until(() => b.node.isServing))).toBeLessThanOrEqual(500);
    expect([await resultsAt(b), b.gate.begun, a.leftBehind, a.errors]).toEqual([BOTH, 0, [], []]);
  });

  it.each<Fate>(['ack lost', 'ack late', 'lands late', 'fails', 'lost'])(
    'waits for its last write when the append of that is "%s", and the next one runs nothing again',
    async (fate) => {
      const { nodes, clock, a, b } = await running();
      a.link.lateMs = 20;
      a.link.fates.push(fate);
      const ending = a.end();
      await clock.settle();
      a.gate.open();
      const { report } = await clock.finish(ending);
      expect(report).toMatchObject({ finished: 2, ...NOTHING_LOST });
      expect(await nodes.until(() => b.node.isServing)).toBeLessThanOrEqual(500);
      expect([await resultsAt(b), b.gate.begun, a.leftBehind]).toEqual([BOTH, 0, []]);
    },
  );

  it('waits for a log that answers again within two seconds', async () => {
    const { nodes, clock, server, a, b } = await running();
    server.isStalled = true;
    a.gate.open();
    const ending = a.end();
    await clock.advance(1500);
    server.isStalled = false;
    expect((await clock.finish(ending)).report).toMatchObject(NOTHING_LOST);
    expect(await nodes.until(() => b.node.isServing)).toBeLessThanOrEqual(500);
    expect([await resultsAt(b), b.gate.begun, a.leftBehind]).toEqual([BOTH, 0, []]);
  });

  it('ends in its time while the log is away for longer, and says what may run again; it runs again at the next one', async () => {
    const { nodes, clock, a, b } = await running();
    cutOff(a);
    a.gate.open('one');
    await clock.advance(100);
    const ending = a.end();
    await clock.settle();
    a.gate.open('two');
    const { report, closedAfterMs } = await clock.finish(ending);
    expect(report).toMatchObject({ timedOut: false, ...NOTHING_LOST });
    expect(closedAfterMs).toBeLessThanOrEqual(ENDS_WITHIN_MS);
    expect(a.leftBehind.map((ids) => ids.sort())).toEqual([['one', 'two']]);
    await runsAgain(nodes, b, 2);
    expect(await resultsAt(b)).toEqual(BOTH);
  });

  it('says it too when the log has it after all: then nothing runs again', async () => {
    const { nodes, clock, server, a, b } = await running();
    server.isStalled = true;
    a.gate.open();
    const { report, closedAfterMs } = await clock.finish(a.end());
    expect(report).toMatchObject(NOTHING_LOST);
    expect(closedAfterMs).toBeLessThanOrEqual(ENDS_WITHIN_MS);
    expect(a.leftBehind.map((ids) => ids.sort())).toEqual([['one', 'two']]);
    server.isStalled = false;
    await nodes.until(() => b.node.isServing);
    expect([await resultsAt(b), b.gate.begun]).toEqual([BOTH, 0]);
  });
});

describe('an owner that is replaced while it ends', () => {
  it('ends as soon as it learns of that, counts nothing of what is the other one’s, and warns of nothing', async () => {
    const { nodes, clock, a, b } = await running();
    const ending = a.end(3600);
    const reconnect = cutOff(a);
    await nodes.until(() => b.node.isServing);
    reconnect();
    const since = clock.monotonic();
    const { report } = await clock.finish(ending);
    // It learns of it by its next beat.
    expect(clock.monotonic() - since).toBeLessThanOrEqual(LEASE_MS / 3);
    expect(report).toMatchObject({ finished: 0, leftQueued: 0, aborted: 0, ...NOTHING_LOST });
    expect([a.leftBehind, a.gate.inside]).toEqual([[], []]);
    await runsAgain(nodes, b, 2);
    expect(await resultsAt(b)).toEqual(BOTH);
  });

  it('does so too while it waits for its last write', async () => {
    const { nodes, clock, a, b } = await running();
    const reconnect = cutOff(a);
    a.gate.open();
    // So long that it still waits when the other one owns.
    await clock.advance(LEASE_MS);
    const ending = a.end();
    await nodes.until(() => b.node.isServing);
    expect(a.leftBehind).toEqual([]);
    reconnect();
    expect((await clock.finish(ending)).report).toMatchObject(NOTHING_LOST);
    expect(a.leftBehind).toEqual([]);
    await runsAgain(nodes, b, 2);
    expect(await resultsAt(b)).toEqual(BOTH);
  });
});

describe('a node that ends', () => {
  it.each(['a', 'b'] as const)('does not wait for a list of nodes that does not answer: %s', async (name) => {
    const { nodes, clock, a, b } = await running();
    nodes.isListSilent = true;
    a.gate.open();
    await clock.advance(100);
    const { closedAfterMs } = await clock.finish({ a, b }[name].end());
    expect(closedAfterMs).toBeLessThanOrEqual(600);
  });

  it('as a follower does not wait for the log', async () => {
    const { clock, server, b } = await running();
    server.isStalled = true;
    const { report, closedAfterMs } = await clock.finish(b.end());
    expect(report).toMatchObject({ finished: 0, aborted: 0, ...NOTHING_LOST });
    expect(closedAfterMs).toBeLessThanOrEqual(100);
  });
});
