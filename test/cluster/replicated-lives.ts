import { expect, onTestFinished } from 'vitest';
import { Deposed } from '../../src/cluster/appender.ts';
import type { ReplicatedStore } from '../../src/cluster/replicated-store.ts';
import { createLocalHost } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { Random } from '../engine/simulation/random.ts';
import { folderWith } from '../loader/folder.ts';
import { HOST, type Life, type LogNemeses, type livesOf, registryOf } from '../stores/durable-host.ts';
import { Copies, type Copy } from './copies.ts';
import { type Fate, FaultLog } from './fault-log.ts';
import { claim, storeOn } from './replicas.ts';

const FATES: readonly Fate[] = ['ack lost', 'ack lost', 'ack late', 'lands late', 'fails', 'lost'];
const FATE_SHARE = 0.08;
/** An answer, or an entry, that is late comes while somebody still waits, while nobody does any more, or in another life. */
const LATE_MS: readonly number[] = [100, 3500, 60_000];
/** Of an entry: so few that many a transaction takes several. */
const SHORT_BYTES = 1500;
const MOST_LOST = 6;
const STALLS_MS: readonly number[] = [50, 700, 5000];

/**
 * Lives of a host as {@link livesOf} has them, each on another node: the one before is gone, and a follower, a new node or the same one with the file that it has left owns
 * next. Appends fail in every way that a log knows; the log stalls, loses its end, and is written by another node. Whenever a life ends, all files are equal once they have caught up.
 */
export const replicatedLives =
  (random: Random): typeof livesOf =>
  (tasks, defaults = {}, finish = (work) => work, disk = (store) => store) => {
    const { clock } = { ...systemPorts, ...defaults.ports };
    const server = new FaultLog(clock, random.chance(0.3) ? SHORT_BYTES : undefined);
    const registry = registryOf(tasks);
    const copies = new Copies(server, folderWith());
    let current: Life | null = null;
    let owner: Copy | null = null;
    let isFaulty = false;
    /** What was there before the faults began is never lost. */
    let safeUpTo = 0;
    onTestFinished(async () => {
      await current?.stop();
      await copies.close();
    });

    const log: LogNemeses = {
      position: () => owner?.replica.position ?? 0,
      isApart: () => owner !== null && copies.isApart(owner),
      loseTail: () => {
        const count = Math.min(random.int(1, MOST_LOST), server.last - safeUpTo);
        if (count > 0) copies.loseTail(count);
        return server.last;
      },
      stall: () => {
        server.isStalled = true;
        clock.setTimer(() => {
          server.isStalled = false;
        }, random.pick(STALLS_MS));
      },
      usurp: async () => {
        server.isStalled = false;
        const others = copies.all.filter((copy) => copy !== owner);
        await copies.catchUp(others);
        const other = random.pick(others);
        await copies.stop(other);
        await claim(server.link(), other.replica, other.name, clock.now());
      },
    };

    return {
      log,
      setFaults: (are) => {
        if (are && safeUpTo === 0) safeUpTo = server.last;
        if (!are) server.isStalled = false;
        isFaulty = are;
      },
      file: () => copies.newest.file,
      begin: async (options = {}, files = [], first = () => undefined) => {
        // Two follow at any time; the oldest goes when a new one comes.
        while (copies.all.length < 3) await copies.join();
        if (random.chance(0.3)) {
          await copies.dropOldest();
          await copies.join();
        }
        await copies.catchUp();
        const node = random.pick(copies.all);
        await copies.stop(node);
        const link = server.link();
        await claim(link, node.replica, node.name, clock.now());
        owner = node;
        let isCut = false;
        const append = link.append.bind(link);
        link.append = (after, bytes) => {
          if (isCut) return Promise.reject(new Error('the connection was cut'));
          if (isFaulty && random.chance(FATE_SHARE)) {
            link.lateMs = random.pick(LATE_MS);
            link.fates.push(random.pick(FATES));
          }
          return append(after, bytes);
        };
        let isDeposed = false;
        const deposed = (): void => {
          isDeposed = true;
          void host.abandon();
        };
        const replicated: ReplicatedStore = storeOn(link, node.replica, clock, { node: node.name, deposed });
        const host = createLocalHost({ ...HOST, registry, ports: systemPorts, store: disk(replicated), ...defaults, ...options });
        const leave = async (): Promise<void> => {
          try {
            await replicated.leave();
          } catch (error) {
            // It may find out only now.
            if (!(error instanceof Deposed)) throw error;
            expect(isDeposed).toBe(true);
          }
        };
        const end = async (mode: 'graceful' | 'force'): Promise<void> => {
          if (current === life) current = null;
          isFaulty = false;
          await finish(host.shutdown(mode, 10));
          await finish(host.close());
          if (mode === 'graceful') await finish(leave());
          await copies.expectEqual();
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
