/** Connections that are lost, silent, or ended by the server, seen through a proxy. */
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LogConflict } from '../../src/cluster/log/log.ts';
import { NoAnswer, openPostgres, type PostgresOptions } from '../../src/cluster/postgres/index.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { followed } from './followed.ts';
import { appendAll } from './log-suite.ts';
import { afterEntry, BEGINNING } from './places.ts';
import { runOnce } from './postgres-binaries.ts';
import { findPostgres, ownSchema } from './postgres-service.ts';
import { PostgresProxy, type ProxiedConnection } from './proxy.ts';

const found = await findPostgres();
const service = found ?? 'postgres://nowhere/';
const bytes = Buffer.from('an entry');
const APPEND = 'insert into';
const READ = 'select bytes from';

describe.skipIf(found === null)('connections to PostgreSQL', () => {
  let place: ReturnType<typeof ownSchema>;
  let proxy: PostgresProxy;
  let ends: (() => Promise<unknown>)[];
  const open = async (options: Partial<PostgresOptions> = {}) => {
    const { backbone } = await openPostgres({ url: proxy.url, logger: silentLogger, pollMs: 20, ...options });
    ends.push(() => backbone.close());
    return backbone;
  };
  /** Does something when a statement that contains the text passes, once. */
  const whenSent = (text: string, act: (connection: ProxiedConnection) => 'pass' | 'cut'): Promise<ProxiedConnection> => {
    const { promise, resolve } = Promise.withResolvers<ProxiedConnection>();
    proxy.onRequest = (sent, connection) => {
      if (!sent.includes(text)) return 'pass';
      proxy.onRequest = () => 'pass';
      resolve(connection);
      return act(connection);
    };
    return promise;
  };
  const mute = (connection: ProxiedConnection): 'pass' => {
    connection.isMute = true;
    return 'pass';
  };
  /** Ends all connections of these tests, as an operator may. */
  const terminateAll = () =>
    runOnce(service, 'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1', [place.schema]);

  beforeEach(async () => {
    place = ownSchema(service);
    proxy = await PostgresProxy.before(place.url);
    ends = [];
  });
  afterEach(async () => {
    await Promise.all(ends.map((end) => end()));
    await proxy.close();
    await place.drop();
  });

  it('are few: five at most, and one while nothing else is needed', async () => {
    const { log, presence, snapshots } = await open();
    for (let i = 0; i < 5; i++) await log.ends();
    // The one that opened is gone.
    expect(proxy.connections.size).toBe(1);
    const reader = await followed(log, 0);
    const nobody = { name: 'n', url: '', role: 'owner', position: 0, hands: 0, version: '', format: 1 } as const;
    await Promise.all([
      ...Array.from({ length: 40 }, () => log.ends()),
      ...Array.from({ length: 10 }, () => presence.announce(nobody)),
      ...Array.from({ length: 10 }, () => snapshots.newest()),
      ...Array.from({ length: 10 }, () => Promise.allSettled([log.append(BEGINNING, bytes)])),
    ]);
    await reader.count(1);
    await reader.stop();
    expect(proxy.connections.size).toBeLessThanOrEqual(5);
    // And no others in their place: the first one, one for appends, one that listens, three for the rest.
    expect(proxy.accepted).toBeLessThanOrEqual(6);
  });

  it('that the server ends cost the next append a retry at most, and the next read nothing that is seen', async () => {
    const { log } = await open();
    for (let i = 0; i < 5; i++) {
      // It may be sent before the end of the connection has been noticed; the server then does nothing with it.
      const place = i === 0 ? BEGINNING : afterEntry(i, bytes);
      await log.append(place, bytes).catch(() => log.append(place, bytes));
      expect(await log.ends()).toEqual({ first: 1, last: i + 1 });
      await terminateAll();
    }
  });

  it('that have been seen to end cost nothing', async () => {
    const { log } = await open();
    for (let i = 0; i < 5; i++) {
      expect((await log.ends()).last).toBe(i);
      await log.append(i === 0 ? BEGINNING : afterEntry(i, bytes), bytes);
      const closed = [...proxy.connections].map(({ client }) => once(client, 'close'));
      // Each answers the end of the other side with its own.
      for (const { client } of proxy.connections) client.end();
      await Promise.all(closed);
    }
  });

  it('that are cut under a read cost it a retry', async () => {
    const { log } = await open();
    await log.append(BEGINNING, bytes);
    await log.ends();
    const cut = whenSent(READ, () => 'cut');
    expect((await log.read(1))?.bytes).toEqual(bytes);
    await cut;
  });

  it('that are cut under an append leave it open whether it is there: the statement was not sent', async () => {
    const { log } = await open();
    whenSent(APPEND, () => 'cut');
    await expect(log.append(BEGINNING, bytes)).rejects.not.toThrow(LogConflict);
    await log.append(BEGINNING, bytes);
    expect(await log.ends()).toEqual({ first: 1, last: 1 });
  });

  it('that are cut under an append leave it open whether it is there: the answer was lost', async () => {
    const { log } = await open();
    whenSent(APPEND, (connection) => {
      connection.isCutAtAnswer = true;
      return 'pass';
    });
    await expect(log.append(BEGINNING, bytes)).rejects.not.toThrow(LogConflict);
    await expect(log.append(BEGINNING, bytes)).rejects.toThrow(LogConflict);
    expect((await log.read(1))?.bytes).toEqual(bytes);
    await log.append(afterEntry(1, bytes), bytes);
  });

  it('that are silent are destroyed when the append is given up, and the next append has another one', async () => {
    const { log } = await open();
    await log.append(BEGINNING, bytes);
    const given = new AbortController();
    const sent = whenSent(APPEND, mute);
    const appending = log.append(afterEntry(1, bytes), bytes, given.signal);
    const connection = await sent;
    given.abort(new Error('the lease is nearly over'));
    await expect(appending).rejects.toThrow('the lease is nearly over');
    // Whichever is first: the one that was given up, or this one.
    await log.append(afterEntry(1, bytes), bytes).catch((error: unknown) => expect(error).toBeInstanceOf(LogConflict));
    expect(connection.client.destroyed).toBe(true);
    expect(await log.ends()).toEqual({ first: 1, last: 2 });
  });

  it('that are silent for too long are destroyed, under an append and under a read', async () => {
    const { log } = await open({ answerMs: 300 });
    whenSent(APPEND, mute);
    await expect(log.append(BEGINNING, bytes)).rejects.toThrow(NoAnswer);
    whenSent(READ, mute);
    await expect(log.read(1)).rejects.toThrow(NoAnswer);
    expect(proxy.accepted).toBeLessThanOrEqual(4);
  });

  it('give up one append of several that wait, and none of the others', async () => {
    const { log } = await open();
    const gate = Promise.withResolvers<void>();
    const sent = whenSent(APPEND, (connection) => {
      connection.client.pause();
      void gate.promise.then(() => connection.client.resume());
      return 'pass';
    });
    const first = log.append(BEGINNING, bytes);
    const given = new AbortController();
    const second = log.append(afterEntry(1, bytes), bytes, given.signal);
    const third = log.append(afterEntry(1, bytes), Buffer.from('third'));
    await sent;
    given.abort(new Error('given up'));
    await expect(second).rejects.toThrow('given up');
    gate.resolve();
    await Promise.all([first, third]);
    expect(Buffer.from((await log.read(2))?.bytes ?? []).toString()).toBe('third');
  });

  it('that are cut while a follower reads are not noticed by it', async () => {
    const { log } = await open();
    const writer = (await openPostgres({ url: place.url, logger: silentLogger })).backbone;
    ends.push(() => writer.close());
    const reader = await followed(log, 0);
    for (let i = 0; i < 6; i++) {
      await appendAll(writer.log, [`${i}`]);
      await reader.count(i + 1);
      proxy.cutAll();
    }
    await reader.stop();
    expect(reader.losses).toEqual([]);
    expect(reader.entries.map(({ position }) => position)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('that are silent are not waited for by whoever ceases to follow', async () => {
    const { log } = await open({ answerMs: 3_600_000 });
    const sent = whenSent('left join lateral', mute);
    const reader = await followed(log, 0);
    await sent;
    await reader.stop();
    expect(reader.losses).toEqual([]);
  });

  it('that cannot be made again end a follower once, with the reason', async () => {
    const { log } = await open({ patienceMs: 0 });
    await log.append(BEGINNING, bytes);
    const reader = await followed(log, 0);
    await reader.count(1);
    proxy.onRequest = () => 'cut';
    proxy.cutAll();
    expect(await reader.lost).toBeInstanceOf(Error);
    await reader.stop();
    expect(reader.losses).toHaveLength(1);
  });

  it('are all closed in the end, and none is made after it', async () => {
    const backbone = await open();
    const reader = await followed(backbone.log, 0);
    await backbone.log.append(BEGINNING, bytes);
    await reader.count(1);
    await backbone.close();
    const left = await runOnce(service, 'select count(*)::int as count from pg_stat_activity where application_name = $1', [place.schema]);
    expect(reader.losses).toEqual([]);
    await expect(backbone.log.ends()).rejects.toThrow('closed');
    await expect(backbone.log.append(afterEntry(1, bytes), bytes)).rejects.toThrow('closed');
    // A backend needs a moment to end after its client has said goodbye.
    expect(left[0]?.count).toBeLessThanOrEqual(5);
    expect([...proxy.connections].filter(({ client }) => !client.destroyed && !client.readableEnded)).toEqual([]);
  });
});
