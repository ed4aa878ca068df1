/**
 * A new version comes to a cluster as docs/cluster.md says: followers first, one after the other, the owner last.
 *
 *     UPGRADE_FROM=../sluice-0.1 npx vitest run test/e2e/rolling-upgrade.test.ts     from the version of another checkout
 */
import { describe, expect, it } from 'vitest';
import { findPostgres } from '../cluster/postgres-service.ts';
import type { Received, StreamClient } from '../http/sse-harness.ts';
import { startNodes } from './cluster-nodes.ts';
import type { ServerProcess } from './server.ts';

const url = await findPostgres();
const NAMES = ['a', 'b', 'c'];
const BATCH = 5;

interface Traffic {
  /** Ids of all items that were accepted. */
  fed: string[];
  /** Every answer to a feed that is not 202. */
  refused: string[];
  /** Whether a feed is under way at a node. */
  isAt: (node: ServerProcess) => boolean;
  /** Ends the feeder, and the reader when it has the result of everything; returns all events that it has had. */
  end: () => Promise<Received[]>;
}

/** A feeder and a reader of results, as behind a balancer that knows which nodes take requests. */
async function traffic(taking: ReadonlySet<ServerProcess>): Promise<Traffic> {
  const fed: string[] = [];
  const refused: string[] = [];
  const events: Received[] = [];
  let isFeeding = true;
  let isReading = true;
  let stream: StreamClient | undefined;
  let asked: ServerProcess | undefined;
  let turn = 0;
  const next = (): ServerProcess => [...taking][turn++ % taking.size] as ServerProcess;

  async function feed(): Promise<void> {
    for (let n = 0; isFeeding; ) {
      const ids = Array.from({ length: BATCH }, (_, i) => `${n}-${i}`);
      asked = next();
      const { status, body } = await asked.post('/pipelines/echo/feed', { items: ids.map((id) => ({ id })) });
      asked = undefined;
      if (status === 202) n = fed.push(...ids) / BATCH;
      else refused.push(`${status} ${JSON.stringify(body)}`);
    }
  }

  async function read(first: string): Promise<void> {
    for (let last = first; isReading; last = stream.lastEventId || last) {
      stream = await next().events('/pipelines/echo/events?types=result', { 'last-event-id': last });
      await stream.until((reader) => {
        events.push(...reader.events.splice(0));
        return reader.closed;
      });
    }
  }

  const { asOf } = (await next().get('/pipelines/echo/stats')).body;
  const reading = read(asOf);
  const feeding = feed();
  return {
    fed,
    refused,
    isAt: (node) => asked === node,
    end: async () => {
      isFeeding = false;
      await feeding;
      await expect
        .poll(() => events.filter(({ event }) => event === 'result').length, { timeout: 30_000 })
        .toBeGreaterThanOrEqual(fed.length);
      isReading = false;
      stream?.destroy();
      await reading;
      return events;
    },
  };
}

describe.skipIf(url === null)('a new version', () => {
  it('comes node by node, the owner last: feeders and readers notice nothing', { timeout: 120_000 }, async () => {
    const { nodes, parted, start } = await startNodes(url as string, NAMES, undefined, { checkout: process.env.UPGRADE_FROM });
    const { owner, others } = await parted();
    const names = new Map([...nodes].map(([name, node]) => [node, name]));
    const nameOf = (node: ServerProcess): string => names.get(node) as string;
    const taking = new Set(nodes.values());
    const { fed, refused, isAt, end } = await traffic(taking);
    for (const old of [...others, owner]) {
      const before = fed.length;
      await expect.poll(() => fed.length, { timeout: 30_000 }).toBeGreaterThan(before + BATCH);
      taking.delete(old);
      // A node that ends refuses from its first moment.
      await expect.poll(() => isAt(old), { timeout: 30_000 }).toBe(false);
      await old.stop();
      const fresh = await start(nameOf(old));
      nodes.set(nameOf(old), fresh);
      await expect.poll(async () => (await fresh.get('/readyz')).status, { timeout: 30_000 }).toBe(200);
      taking.add(fresh);
    }
    const events = await end();
    // An earlier version ends as it does; what it refuses is sent again.
    if (process.env.UPGRADE_FROM === undefined) expect(refused).toEqual([]);
    expect(events.filter(({ event }) => event === 'gap')).toEqual([]);
    const ended = events.filter(({ event }) => event === 'result').map(({ data }) => JSON.parse(data).id as string);
    expect(ended.toSorted()).toEqual(fed.toSorted());
    const asked = nodes.get('a') as ServerProcess;
    expect((await asked.get('/pipelines/echo/stats')).body).toMatchObject({
      itemsFed: fed.length,
      itemsProcessed: fed.length,
      itemsFailed: 0,
    });
    const { nodes: listed } = (await asked.get('/nodes')).body as { nodes: { name: string; role: string }[] };
    const [first] = listed.filter(({ role }) => role === 'owner');
    expect(listed.map(({ name }) => name).sort()).toEqual(NAMES);
    expect(others.map((node) => nameOf(node))).toContain(first?.name);
  });
});
