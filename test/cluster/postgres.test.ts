import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogConflict } from '../../src/cluster/log/log.ts';
import { type OpenedPostgres, openPostgres, type PostgresOptions } from '../../src/cluster/postgres/index.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { backboneSuite } from './backbone-suite.ts';
import { followed } from './followed.ts';
import { appendAll, logSuite } from './log-suite.ts';
import { afterEntry } from './places.ts';
import { runOnce } from './postgres-binaries.ts';
import { findPostgres, ownSchema } from './postgres-service.ts';
import { PostgresProxy } from './proxy.ts';

const found = await findPostgres();
const service = found ?? 'postgres://nowhere/';
const NEVER_MS = 3_600_000;

describe.skipIf(found === null)('PostgreSQL', () => {
  const start = async () => {
    const { url, drop } = ownSchema(service);
    return { open: async () => (await openPostgres({ url, logger: silentLogger })).backbone, dispose: drop };
  };
  logSuite('PostgreSQL', start);
  backboneSuite('PostgreSQL', start);

  let place: ReturnType<typeof ownSchema>;
  let opened: OpenedPostgres[];
  let ends: (() => Promise<void>)[];
  const open = async (options: Partial<PostgresOptions> = {}): Promise<OpenedPostgres> => {
    const one = await openPostgres({ url: place.url, logger: silentLogger, ...options });
    opened.push(one);
    return one;
  };
  const openLog = async (options: Partial<PostgresOptions> = {}) => (await open(options)).backbone.log;
  const bytes = Buffer.from('an entry');

  beforeEach(() => {
    place = ownSchema(service);
    opened = [];
    ends = [];
  });
  afterEach(async () => {
    await Promise.all(ends.map((end) => end()));
    await Promise.all(opened.map(({ backbone }) => backbone.close()));
    await place.drop();
  });

  it('is named as the documents name it, at an owner as at a follower', async () => {
    expect((await openLog()).kind).toBe('postgresql');
  });

  describe('an append of somebody who slept', () => {
    /** Another transaction that has the next entries, and has trimmed what was before them, and is not committed yet. */
    async function trimmingOthers(): Promise<Client> {
      const others = new Client({ connectionString: service });
      await others.connect();
      ends.push(() => others.end());
      const table = `${place.schema}.log`;
      await others.query('begin');
      await others.query(`insert into ${table} values (6, 'six'), (7, 'seven')`);
      await others.query(`delete from ${table} where position <= 6`);
      return others;
    }
    /** Resolves when a statement waits for another transaction, and at the end of the test. */
    async function untilSomebodyWaits(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        const [row] = await runOnce(
          service,
          "select count(*)::int as count from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock'",
          [place.schema],
        );
        if (row?.count === 1) return;
      }
    }

    it('conflicts, although its statement began when the place was the right one', async ({ signal }) => {
      const log = await openLog();
      await appendAll(log, ['1', '2', '3', '4', '5']);
      const others = await trimmingOthers();
      const appending = expect(log.append(afterEntry(5, Buffer.from('5')), bytes)).rejects.toThrow(LogConflict);
      await untilSomebodyWaits(signal);
      await others.query('commit');
      await others.end();
      await appending;
      expect(await log.ends()).toEqual({ first: 7, last: 7 });
    });

    it.for([
      ['the primary key alone', 'insert into %.log values (6, $1)'],
      ['the highest position', 'insert into %.log select 6, $1::bytea where (select max(position) from %.log) = 5'],
    ])('would be taken where %s decides', async ([, statement = ''], { signal }) => {
      const log = await openLog();
      await appendAll(log, ['1', '2', '3', '4', '5']);
      const others = await trimmingOthers();
      const taken = runOnce(place.url, statement.replaceAll('%', place.schema), [bytes]);
      await untilSomebodyWaits(signal);
      await others.query('commit');
      await others.end();
      await taken;
      expect(await log.ends()).toEqual({ first: 6, last: 7 });
    });
  });

  it('keeps the last entry when the log has lost its end since a trim looked at it', async () => {
    const log = await openLog();
    await appendAll(log, ['1', '2', '3']);
    // As of a server that had more, and was replaced before the rows are deleted.
    log.ends = async () => ({ first: 1, last: 9 });
    await log.trim(8);
    expect([(await log.read(2))?.bytes, Buffer.from((await log.read(3))?.bytes ?? []).toString()]).toEqual([undefined, '3']);
    await log.append(afterEntry(3, Buffer.from('3')), bytes);
  });

  describe('news of entries', () => {
    it('come by LISTEN, without polling', async () => {
      const writer = await openLog();
      const reader = await followed(await openLog({ pollMs: NEVER_MS }), 0);
      // The bell rings once when it listens, so the first entry may be found for that; the others are not.
      for (let i = 1; i <= 5; i++) {
        await appendAll(writer, [`${i}`]);
        await reader.count(i);
      }
      await reader.stop();
    });

    it('are polled for behind a pooler that refuses LISTEN, and the log says so', async () => {
      const proxy = await PostgresProxy.before(place.url);
      const refused = Promise.withResolvers<void>();
      proxy.onRequest = (sent) => {
        if (!sent.includes('listen sluice_')) return 'pass';
        refused.resolve();
        return 'cut';
      };
      const warnings: string[] = [];
      const log = await openLog({
        url: proxy.url,
        pollMs: 20,
        logger: { ...silentLogger, warn: (_, message) => void warnings.push(message) },
      });
      const reader = await followed(log, 0);
      await refused.promise;
      await appendAll(log, ['a', 'b']);
      await reader.count(2);
      await appendAll(log, ['c']);
      await reader.count(3);
      await reader.stop();
      expect(warnings).toEqual([expect.stringContaining('polled')]);
      await log.close();
      await proxy.close();
    });

    it('are polled for behind one that forgets LISTEN', async () => {
      const proxy = await PostgresProxy.before(place.url);
      proxy.swallowsNotifications = true;
      const log = await openLog({ url: proxy.url, pollMs: 20 });
      const reader = await followed(log, 0);
      for (let i = 1; i <= 5; i++) {
        await appendAll(log, [`${i}`]);
        await reader.count(i);
      }
      await reader.stop();
      await log.close();
      await proxy.close();
    });

    it('are read in pages by their bytes, at least one at a time', async () => {
      const log = await openLog({ pageBytes: 10 });
      const texts = ['a', 'bcdefghijklmno', 'p', 'q'.repeat(30), 'r', 's', 't'.repeat(10), 'u'];
      await appendAll(log, texts);
      const reader = await followed(log, 0);
      await reader.count(texts.length);
      await reader.stop();
      expect(reader.entries.map((entry) => Buffer.from(entry.bytes).toString())).toEqual(texts);
    });
  });
});
