import path from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Following, follow } from '../../src/cluster/follower.ts';
import { type Replica, replicaOf } from '../../src/cluster/replica.ts';
import type { ReplicatedStore } from '../../src/cluster/replicated-store.ts';
import { createLocalHost } from '../../src/engine/index.ts';
import { silentLogger, systemPorts } from '../../src/engine/ports.ts';
import { openSqliteReplica } from '../../src/stores/sqlite/replica.ts';
import type { Random } from '../engine/simulation/random.ts';
import { folderWith } from '../loader/folder.ts';
import { HOST, type Life, type livesOf, registryOf } from '../stores/durable-host.ts';
import { type Fate, FaultLog } from './fault-log.ts';
import { claim, contentOf, storeOn } from './replicas.ts';

interface Node {
  name: string;
  file: string;
  replica: Replica;
  following: Following | null;
}

const FATES: readonly Fate[] = ['ack lost', 'ack lost', 'ack late', 'lands late', 'fails', 'lost'];
const FATE_SHARE = 0.08;
/** Of an entry: so few that many a transaction takes several. */
const SHORT_BYTES = 1500;

/**
 * Lives of a host as {@link livesOf} has them, each on another node: the one before is gone, and a follower, a new node or the same one with the file that it has left owns
 * next. Appends fail in every way that a log knows. Whenever a life ends, all files are equal once they have caught up.
 */
export const replicatedLives =
  (random: Random): typeof livesOf =>
  (tasks, defaults = {}, finish = (work) => work, disk = (store) => store) => {
    const { clock } = { ...systemPorts, ...defaults.ports };
    const server = new FaultLog(clock, random.chance(0.3) ? SHORT_BYTES : undefined);
    const registry = registryOf(tasks);
    const nodes: Node[] = [];
    let current: Life | null = null;
    let isFaulty = false;
    let count = 0;
    const folder = folderWith();
    onTestFinished(async () => {
      await current?.stop();
      for (const { replica } of nodes) await replica.close();
    });

    const join = async (): Promise<Node> => {
      const name = `n${++count}`;
      const file = path.join(folder, name);
      const node: Node = { name, file, replica: replicaOf(await openSqliteReplica({ file, inProcess: true })), following: null };
      nodes.push(node);
      return node;
    };
    const followOn = async (node: Node): Promise<void> => {
      node.following ??= await follow({
        ...{ log: server.link(), replica: node.replica, logger: silentLogger },
        lost: (why) => {
          throw why;
        },
      });
    };
    const caughtUp = async (): Promise<void> => {
      for (const node of nodes) await followOn(node);
      while (nodes.some(({ replica }) => replica.position < server.last)) await new Promise((resolve) => setImmediate(resolve));
    };
    const expectEqualFiles = async (): Promise<void> => {
      await caughtUp();
      const [first, ...others] = nodes.map(({ file }) => contentOf(file));
      for (const other of others) expect(other).toEqual(first);
    };

    return {
      setFaults: (are) => {
        isFaulty = are;
      },
      file: () => (nodes.at(-1) as Node).file,
      begin: async (options = {}, files = [], first = () => undefined) => {
        // Two follow at any time; the oldest goes when a new one comes.
        while (nodes.length < 3) await join();
        if (random.chance(0.3)) {
          const gone = nodes.shift() as Node;
          await gone.following?.stop();
          await gone.replica.close();
          await join();
        }
        await caughtUp();
        const node = random.pick(nodes);
        await node.following?.stop();
        node.following = null;
        const link = server.link();
        await claim(link, node.replica, node.name, clock.now());
        let isCut = false;
        const append = link.append.bind(link);
        link.append = (after, bytes) => {
          if (isCut) return Promise.reject(new Error('the connection was cut'));
          if (isFaulty && random.chance(FATE_SHARE)) link.fates.push(random.pick(FATES));
          return append(after, bytes);
        };
        const replicated: ReplicatedStore = storeOn(link, node.replica, clock, { node: node.name });
        const host = createLocalHost({ ...HOST, registry, ports: systemPorts, store: disk(replicated), ...defaults, ...options });
        const end = async (mode: 'graceful' | 'force'): Promise<void> => {
          if (current === life) current = null;
          isFaulty = false;
          await finish(host.shutdown(mode, 10));
          await finish(host.close());
          if (mode === 'graceful') await finish(replicated.leave());
          await expectEqualFiles();
        };
        const life: Life = {
          host,
          crash: () => {
            isCut = true;
            return end('force');
          },
          stop: () => end('graceful'),
        };
        first(host, life);
        await finish(host.recover(new Set(files.map(({ id }) => id))));
        for (const definition of files) await finish(host.load(definition));
        current = life;
        host.goOn();
        return life;
      },
    };
  };
