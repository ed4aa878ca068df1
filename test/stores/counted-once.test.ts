/** A crash counts once against what ran in it, however many starts come to nothing before one goes on. */
import { copyFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalHost, type LocalHost } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { ended, inTime, named, reaches } from '../conformance/world.ts';
import { folderWith } from '../loader/folder.ts';
import { HOST, registryOf } from './durable-host.ts';
import { FailingStore } from './failing-store.ts';

const SUFFIXES = ['', '-wal', '-running', '-blamed'];
let isHeld = true;
let begun = 0;
const held = (value: unknown): unknown => {
  begun++;
  return isHeld ? new Promise(() => undefined) : value;
};
const definition = (id: 'p' | 'q') => ({ id, stages: [{ name: 'A', workers: 2, tasks: [`held by ${id}`] }] });
const TASKS = { 'held by p': held, 'held by q': held };

interface Trial {
  host: LocalHost;
  disk: FailingStore;
  file: string;
  /** What `kill -9` leaves now, as another file. */
  killed: () => string;
  /** It is asked to stop before it goes on, or comes to nothing. */
  cutShort: () => Promise<void>;
}

let number = 0;

/** A host on a file that has not begun to recover. */
async function open(file: string, tasks: Record<string, typeof held> = TASKS, options: { maxWorkers?: number } = {}): Promise<Trial> {
  const disk = new FailingStore();
  const store = disk.of(await openSqliteStore({ file, inProcess: true }));
  const host = createLocalHost({ ...HOST, registry: registryOf(tasks), ports: systemPorts, store, maxDeliveries: 3, ...options });
  let closed: Promise<void> | undefined;
  const cutShort = (): Promise<void> => {
    host.shuttingDown = true;
    closed ??= host.close();
    return closed;
  };
  onTestFinished(() => cutShort());
  const killed = (): string => {
    const left = join(folderWith(), `${number++}.db`);
    for (const suffix of SUFFIXES) if (existsSync(file + suffix)) copyFileSync(file + suffix, left + suffix);
    return left;
  };
  return { host, disk, file, killed, cutShort };
}

/** What a crash leaves in which two items of each of two pipelines ran, and two waited. */
async function afterCrash(): Promise<string> {
  isHeld = true;
  const { host, killed } = await open(join(folderWith(), 'first.db'));
  await host.recover();
  host.goOn();
  for (const id of ['p', 'q'] as const) {
    await host.create(definition(id));
    await host.get(id).feed(named('a', 'b', 'c', 'd'), {});
    await reaches(host.get(id), 'b', 'in_progress');
  }
  return killed();
}

/** In how many crashes each item ran, as the file says. */
function deliveries(file: string): number[] {
  const db = new Database(file, { readonly: true });
  try {
    return db.prepare('SELECT deliveries FROM items ORDER BY key').pluck().all() as number[];
  } finally {
    db.close();
  }
}

const ONCE = [1, 1, 0, 0, 1, 1, 0, 0];

async function expectGoodStart(file: string): Promise<void> {
  isHeld = false;
  const { host } = await open(file);
  await host.recover();
  expect(deliveries(file)).toEqual(ONCE);
  host.goOn();
  for (const id of ['p', 'q'] as const) {
    await ended(host.get(id), 4);
    expect((await host.get(id).stats()).statusCounts).toMatchObject({ completed: 4, failed: 0 });
  }
}

describe('a crash counts once, when the starts after it', () => {
  it('are killed when they have counted, before anything runs', async () => {
    let file = await afterCrash();
    for (let start = 0; start < 6; start++) {
      const { host, killed } = await open(file);
      await host.recover();
      file = killed();
      expect(deliveries(file)).toEqual(ONCE);
    }
    await expectGoodStart(file);
  });

  it('are killed when they have counted for one pipeline and not for the next', async () => {
    let file = await afterCrash();
    for (let start = 0; start < 6; start++) {
      const { host, disk, killed, cutShort } = await open(file);
      const left = Promise.withResolvers<string>();
      // The first pipeline is stored; the second one never is.
      disk.onWrite = () => {
        if (disk.writes === 1) disk.fault = 'the disk reports an error';
        if (disk.fault !== null) left.resolve(killed());
      };
      const recovering = host.recover().catch((error: { code: string }) => error.code);
      file = await Promise.race([left.promise, recovering.then(() => killed())]);
      expect(deliveries(file).slice(0, 4)).toEqual(ONCE.slice(0, 4));
      await cutShort();
      await recovering;
    }
    await expectGoodStart(file);
  });

  it('are stopped in order, or come to nothing, before they go on', async () => {
    const file = await afterCrash();
    for (let start = 0; start < 6; start++) {
      const { host, cutShort } = await open(file);
      await host.recover();
      await cutShort();
    }
    expect(deliveries(file)).toEqual(ONCE);
    await expectGoodStart(file);
  });

  it('cannot use one of the definitions of the store any more', async () => {
    const file = await afterCrash();
    for (let start = 0; start < 6; start++) {
      const { host, cutShort } = await open(file, { 'held by p': held });
      await host.recover();
      await cutShort();
      expect(deliveries(file)).toEqual(ONCE);
    }
    await expectGoodStart(file);
  });

  it('are refused because all pipelines together have too many workers: nothing is touched', async () => {
    const file = await afterCrash();
    for (let start = 0; start < 6; start++) {
      const { host, cutShort } = await open(file, TASKS, { maxWorkers: 3 });
      await expect(host.recover()).rejects.toMatchObject({ code: 'invalid-pipeline' });
      await cutShort();
      expect(deliveries(file)).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    }
    await expectGoodStart(file);
  });

  it('know who is to blame, and are killed in the middle of forgetting', async () => {
    let file = await afterCrash();
    const first = await open(file);
    first.host.blame({ pipeline: 'p', sequenceId: 2 });
    file = first.killed();
    for (let start = 0; start < 6; start++) {
      const { host, killed } = await open(file);
      await host.recover();
      file = killed();
      expect(deliveries(file)).toEqual([0, 1, 0, 0, 0, 0, 0, 0]);
      // What is between: who is to blame is forgotten first.
      if (start === 2) rmSync(`${file}-blamed`);
    }
  });
});

describe('a second crash', () => {
  it('counts as well, of what ran in it: one of those of the first, and what had begun beside it', async () => {
    const { host, killed } = await open(await afterCrash());
    await host.recover();
    begun = 0;
    host.goOn();
    // All four have their marks when their tasks are called.
    await inTime(async () => begun >= 4);
    const file = killed();
    const next = await open(file);
    expect(await next.host.recover()).toMatchObject({ poisoned: 0 });
    expect(deliveries(file)).toEqual([2, 1, 1, 0, 1, 1, 1, 1]);
  });
});

describe('a start whose counts cannot be stored', () => {
  it('waits, and goes on when they can; the marks stay until then', async () => {
    const file = await afterCrash();
    const { host, disk, killed } = await open(file);
    disk.fault = 'the disk is full';
    let isOver = false;
    const failed = new Promise<void>((resolve) => {
      disk.onWrite = () => void (disk.writes === 0 && setImmediate(resolve));
    });
    const recovering = host.recover().then(() => {
      isOver = true;
    });
    await failed;
    expect(host.storeHealth.trouble).toBe('the disk is full');
    expect(isOver).toBe(false);
    const left = killed();
    disk.fault = null;
    await recovering;
    expect(deliveries(file)).toEqual(ONCE);
    await expectGoodStart(left);
  });
});
