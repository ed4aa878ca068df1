/** A server of the test's own is stopped, killed, frozen, told not to wait for its standby, and loses its end. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Log, LogConflict } from '../../src/cluster/log/log.ts';
import { type OpenedPostgres, openPostgres, type PostgresOptions } from '../../src/cluster/postgres/index.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { StoreTrouble } from '../../src/engine/store.ts';
import { followed } from './followed.ts';
import { appendAll } from './log-suite.ts';
import { afterEntry, appendAt, BEGINNING, placeAt } from './places.ts';
import { type OwnPostgres, postgresBinaries, startOwnPostgres } from './postgres-binaries.ts';
import { ownSchema } from './postgres-service.ts';

const isThere = postgresBinaries() !== undefined;
if (!isThere) {
  process.stderr.write('SKIPPED: there is no initdb, so no PostgreSQL is stopped, killed or frozen. Install the package postgresql.\n');
  it('has a PostgreSQL to stop and kill, in CI', () => expect(process.env.CI).not.toBe('true'));
}
const bytesOf = (text: string): Buffer => Buffer.from(text);

/** Appends one text after the other until one cannot be appended; resolves with those that were acknowledged, and the one that was not. */
async function appendUntilItFails(log: Log, told: (acknowledged: number) => void): Promise<{ acknowledged: string[]; open: string }> {
  const acknowledged: string[] = [];
  for (let { last } = await log.ends(); ; last++) {
    const text = `entry ${last + 1}`;
    try {
      await appendAt(log, last, bytesOf(text));
    } catch (error) {
      expect(error).not.toBeInstanceOf(LogConflict);
      return { acknowledged, open: text };
    }
    acknowledged.push(text);
    told(acknowledged.length);
  }
}

describe.skipIf(!isThere)('a server of our own', () => {
  let server: OwnPostgres;
  let place: ReturnType<typeof ownSchema>;
  let opened: OpenedPostgres[];
  const open = async (options: Partial<PostgresOptions> = {}) => {
    const one = await openPostgres({ url: place.url, logger: silentLogger, pollMs: 20, ...options });
    opened.push(one);
    return one;
  };
  const textsOf = async (log: Log): Promise<string[]> => {
    const { last } = await log.ends();
    const entries = await Promise.all(Array.from({ length: last }, (_, i) => log.read(i + 1)));
    return entries.map((entry) => Buffer.from(entry?.bytes ?? []).toString());
  };

  beforeAll(async () => {
    server = await startOwnPostgres();
  }, 60_000);
  afterAll(() => server?.dispose());
  beforeEach(() => {
    place = ownSchema(server.url);
    opened = [];
  });
  afterEach(async () => {
    await Promise.all(opened.map(({ backbone }) => backbone.close()));
    await place.drop();
  });

  it('that is stopped and started costs the owner one append, and a follower nothing', async () => {
    const { log } = (await open()).backbone;
    const reader = await followed((await open({ patienceMs: 3_600_000 })).backbone.log, 0);
    await appendAll(log, ['entry 1', 'entry 2']);
    await reader.count(2);
    await server.stop();
    await expect(log.append(afterEntry(2, bytesOf('entry 2')), bytesOf('entry 3'))).rejects.toThrow();
    await expect(log.ends()).rejects.toThrow();
    await expect(open()).rejects.toThrow(StoreTrouble);
    await server.start();
    await appendAll(log, ['entry 3', 'entry 4']);
    await reader.count(4);
    await reader.stop();
    expect(reader.losses).toEqual([]);
    expect(await textsOf(log)).toEqual(['entry 1', 'entry 2', 'entry 3', 'entry 4']);
  });

  it('that is killed while the owner appends has everything that was acknowledged, and at most the one that was not', async () => {
    const { log } = (await open()).backbone;
    let all: string[] = [];
    for (let round = 1; round <= 3; round++) {
      const far = Promise.withResolvers<void>();
      const appending = appendUntilItFails(log, (count) => {
        if (count === 5 * round) far.resolve();
      });
      // None is refused before.
      expect(await Promise.race([far.promise, appending])).toBeUndefined();
      await server.kill();
      const { acknowledged, open: last } = await appending;
      await server.start();
      const before = all;
      all = await textsOf(log);
      expect([before.concat(acknowledged), before.concat(acknowledged, last)]).toContainEqual(all);
    }
  });

  it('that is frozen is given up by the owner, and what it had on the way is there once or not at all', async () => {
    const { log } = (await open()).backbone;
    await appendAll(log, ['entry 1']);
    for (let round = 0; round < 3; round++) {
      const { last } = await log.ends();
      const before = await placeAt(log, last);
      server.freeze();
      const appending = log.append(before, bytesOf(`entry ${last + 1}`), AbortSignal.timeout(50));
      await expect(appending).rejects.toThrow(/timeout/);
      server.thaw();
      await log.append(before, bytesOf(`entry ${last + 1}`)).catch((error: unknown) => expect(error).toBeInstanceOf(LogConflict));
      expect((await log.ends()).last).toBe(last + 1);
    }
    expect(await textsOf(log)).toEqual(['entry 1', 'entry 2', 'entry 3', 'entry 4']);
  });

  it('that is frozen is a reason to lose it for a follower, once its patience is over', async () => {
    const { log } = (await open({ answerMs: 2000, patienceMs: 0 })).backbone;
    const reader = await followed(log, 0);
    await appendAll((await open()).backbone.log, ['entry 1']);
    await reader.count(1);
    server.freeze();
    expect(await reader.lost).toBeInstanceOf(Error);
    server.thaw();
    await reader.stop();
    expect(reader.losses).toHaveLength(1);
  });

  it('that has lost its end is noticed by a follower who had read it', async () => {
    const { log } = (await open()).backbone;
    const reader = await followed(log, 0);
    await appendAll(log, ['entry 1', 'entry 2', 'entry 3', 'entry 4']);
    await reader.count(4);
    await server.run(`delete from ${place.schema}.log where position > 2`);
    expect(await reader.lost).toMatchObject({ message: 'The log ends at 2, and 4 has been read: it has lost its end' });
    await reader.stop();
    // The owner's next append finds that nothing is right before it.
    await expect(log.append(afterEntry(4, bytesOf('entry 4')), bytesOf('entry 5'))).rejects.toThrow(LogConflict);
    await appendAt(log, 2, bytesOf('another 3'));
    // So does one that was under way when the log lost its end, although its position is the next one by now.
    await expect(log.append(afterEntry(3, bytesOf('entry 3')), bytesOf('entry 4'))).rejects.toThrow(LogConflict);
    expect(await textsOf(log)).toEqual(['entry 1', 'entry 2', 'another 3']);
  });

  it('that is told not to wait for its standby acknowledges nothing', async () => {
    const { log } = (await open()).backbone;
    await log.append(BEGINNING, bytesOf('entry 1'));
    let last = 1;
    const waits = "select pid from pg_stat_activity where wait_event = 'SyncRep'";
    await server.run("alter system set synchronous_standby_names = 'nobody'");
    await server.run('select pg_reload_conf()');
    try {
      // Its processes read their settings again when each of them comes to it: until then, appends do not wait.
      let waiting: Record<string, unknown>[] = [];
      for (;;) {
        let isOver = false;
        const appending = appendAt(log, last, bytesOf('entry')).finally(() => {
          isOver = true;
        });
        const warned = appending.then(
          () => null,
          (error: Error) => error.message,
        );
        while (!isOver && waiting.length === 0) waiting = await server.run(waits);
        if (waiting.length > 0) {
          await server.run('select pg_cancel_backend($1)', [waiting[0]?.pid]);
          expect(await warned).toMatch(/warned/);
          break;
        }
        expect(await warned).toBeNull();
        last++;
      }
      const { server: facts } = await open();
      expect(facts.find(({ name }) => name === 'synchronous_standby_names')).toMatchObject({
        value: 'nobody',
        isWarning: true,
        meaning: expect.stringContaining('nothing can be acknowledged'),
      });
    } finally {
      await server.run('alter system reset synchronous_standby_names');
      await server.run('select pg_reload_conf()');
    }
    // It is there, and the owner who asks again is told so.
    await expect(appendAt(log, last, bytesOf('entry'))).rejects.toThrow(LogConflict);
    expect(await log.ends()).toMatchObject({ last: last + 1 });
  });

  it('that does not wait for its disk does so for entries all the same', async () => {
    await server.run('alter system set synchronous_commit = off');
    // Its writer comes by so seldom that only a commit that waits brings anything to the disk.
    await server.run("alter system set wal_writer_delay = '10s'");
    await server.run('select pg_reload_conf()');
    try {
      const { log } = (await open()).backbone;
      for (let i = 0; i < 5; i++) {
        await appendAt(log, i, bytesOf(`entry ${i + 1}`));
        const [row] = await server.run('select pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn() as is_flushed');
        expect(row?.is_flushed).toBe(true);
      }
    } finally {
      await server.run('alter system reset all');
      await server.run('select pg_reload_conf()');
    }
  });
});
