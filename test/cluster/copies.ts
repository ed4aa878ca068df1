import path from 'node:path';
import { expect } from 'vitest';
import { type Following, follow } from '../../src/cluster/follower.ts';
import { type Replica, replicaOf, TailLost } from '../../src/cluster/replica.ts';
import { openToFollow } from '../../src/cluster/restoring.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { removeSqliteReplica, setSqliteReplicaAside } from '../../src/stores/sqlite/lost.ts';
import { openSqliteReplica } from '../../src/stores/sqlite/replica.ts';
import { areSameRows, FileContent } from './content.ts';
import type { FaultLog } from './fault-log.ts';

/** A node, as far as it has a file. */
export interface Copy {
  name: string;
  file: string;
  replica: Replica;
  following: Following | null;
  /** Why it cannot follow any more. */
  trouble: unknown;
  /** The rows of its file, once somebody has asked. */
  content: FileContent | null;
}

const openReplica = async (file: string): Promise<Replica> => replicaOf(await openSqliteReplica({ file, inProcess: true }));

async function close(copy: Copy): Promise<void> {
  copy.content?.close();
  copy.content = null;
  await copy.replica.close();
}

/** The files of several nodes on one log. */
export class Copies {
  readonly all: Copy[] = [];
  private readonly server: FaultLog;
  private readonly folder: string;
  private count = 0;

  constructor(server: FaultLog, folder: string) {
    this.server = server;
    this.folder = folder;
  }

  get newest(): Copy {
    return this.all.at(-1) as Copy;
  }

  async join(): Promise<void> {
    const name = `n${++this.count}`;
    const file = path.join(this.folder, name);
    this.all.push({ name, file, replica: await openReplica(file), following: null, trouble: null, content: null });
  }

  async dropOldest(): Promise<void> {
    const gone = this.all.shift() as Copy;
    await this.stop(gone);
    await close(gone);
  }

  async stop(copy: Copy): Promise<void> {
    const { following } = copy;
    copy.following = null;
    await following?.stop();
  }

  /** The last entries are gone. Who follows is only told when the log goes on. */
  loseTail(count: number): void {
    this.server.loseTail(count);
  }

  /** All of them have everything that the log has, and nothing else. */
  async catchUp(copies: readonly Copy[] = this.all): Promise<void> {
    for (const copy of copies) await this.follow(copy);
    for (const copy of copies) {
      let restored = 0;
      while (copy.replica.position < this.server.last) {
        if (copy.trouble !== null) {
          // A log that is no chain can be followed by no file, however often it is made anew.
          if (restored++ > 0) throw copy.trouble;
          await this.follow(copy);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }

  async expectEqual(): Promise<void> {
    await this.catchUp();
    // The same connections as the last time: to open a file takes longer than to read it.
    const [first, ...others] = this.all.map((copy) => (copy.content ??= new FileContent(copy.file))) as [FileContent, ...FileContent[]];
    const rows = first.rawRows();
    for (const other of others) if (!areSameRows(other.rawRows(), rows)) expect(other.rows()).toEqual(first.rows());
  }

  async close(): Promise<void> {
    for (const copy of this.all) await close(copy);
  }

  /** Its file has what the log has not, or not any more. */
  isApart({ replica }: Copy): boolean {
    return replica.position > this.server.last || this.server.tokenAt(replica.position) !== replica.token;
  }

  /** As a node does: the log may have lost what the file has, and then it is restored. */
  private async follow(copy: Copy): Promise<void> {
    const { trouble } = copy;
    const isApart = trouble !== null || this.isApart(copy);
    if (copy.following !== null && !isApart) return;
    if (trouble !== null && !(trouble instanceof TailLost)) throw trouble;
    await this.stop(copy);
    copy.trouble = null;
    if (isApart) await this.restore(copy);
    copy.following = await follow({
      ...{ log: this.server.link(), replica: copy.replica, logger: silentLogger },
      lost: (why) => {
        copy.trouble = why;
      },
    });
  }

  private async restore(copy: Copy): Promise<void> {
    const { file } = copy;
    await close(copy);
    copy.replica = await openToFollow({
      ...{ log: this.server.link(), file, openReplica, logger: silentLogger },
      snapshots: { put: async () => undefined, newest: async () => null },
      removeReplica: async (given) => removeSqliteReplica(given),
      setReplicaAside: async (given, position) => setSqliteReplicaAside(given, position),
    });
  }
}
