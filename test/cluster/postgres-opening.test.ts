/** The start: URL, tables, and the facts of the server. */

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { DatabaseError } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lastingFault } from '../../src/cluster/postgres/errors.ts';
import { openPostgres, readPostgresUrl, UnusableServer } from '../../src/cluster/postgres/index.ts';
import { factsOf } from '../../src/cluster/postgres/server-facts.ts';
import { TABLES_FORMAT } from '../../src/cluster/postgres/tables.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { StoreTrouble } from '../../src/engine/store.ts';
import { BEGINNING } from './places.ts';
import { runOnce } from './postgres-binaries.ts';
import { findPostgres, ownSchema } from './postgres-service.ts';

const found = await findPostgres();
const service = found ?? 'postgres://nowhere/';

describe('the URL', () => {
  it.each([
    ['postgres://u:secret@db:5433/x?schema=mine&sslmode=require', 'mine', 'postgres://db:5433/x?schema=mine'],
    ['postgresql://db/x', 'sluice', 'postgresql://db/x?schema=sluice'],
    ['postgres:///x?host=/var/run/postgresql', 'sluice', 'postgres:///var/run/postgresql/x?schema=sluice'],
  ])('%s names a schema, and is shown without what is secret', (text, schema, shown) => {
    const place = readPostgresUrl(text);
    expect(place).toMatchObject({ schema, shown });
    expect(place.connectionString).not.toContain('schema=');
  });

  it.each([
    'mysql://db/x',
    'db/x',
    'postgres://db/x?schema=Mine',
    'postgres://db/x?schema=a"b',
    'postgres://db/x?schema=pg_own',
    'postgres://db/x?schema=',
    'postgres:/x',
    'postgres:x',
    'postgres:/u@db/x',
    'postgres://db/x?schmea=mine',
    'postgres://db/x?Schema=mine',
    'postgres://db/x?schema=mine&schema=other',
    'postgres://db/x?sslmode=require&schema =mine',
    'postgres://db/x?search_path=mine',
    'postgres://db/x?SSLMODE=require',
    'postgres://u%zz@db/x',
    'postgres://u:geheim%@db/x',
    'postgres://db/%x',
  ])('%s is refused', (text) => expect(() => readPostgresUrl(text)).toThrow(UnusableServer));

  it.each(['sslmode=require&channel_binding=require', 'application_name=a&connect_timeout=5', 'target_session_attrs=read-write'])(
    'leaves ?%s to the driver',
    (parameters) => expect(readPostgresUrl(`postgres://db/x?${parameters}&schema=mine`).connectionString).toContain(parameters),
  );

  it('tells whom a server refuses, where the URL names no user', () => {
    const refused = Object.assign(new DatabaseError('role "root" does not exist', 0, 'error'), { code: '28000' });
    for (const [url, told] of [
      ['postgres://db/x', true],
      ['postgres://u@db/x', false],
      ['postgres://db/x?user=u', false],
    ] as const) {
      const { shown, namesUser } = readPostgresUrl(url);
      expect(lastingFault(refused, shown, namesUser)?.message.includes('the URL names none')).toBe(told);
    }
  });

  it('gives every schema a channel of its own', () => {
    const [one, other] = ['a', 'b'].map((schema) => readPostgresUrl(`postgres://db/x?schema=${schema}`).channel);
    expect(one).toMatch(/^sluice_[0-9a-f]{24}$/);
    expect(one).not.toBe(other);
  });
});

describe('the facts of a server', () => {
  const settings: Parameters<typeof factsOf>[0] = {
    version: '16.2',
    number: '160002',
    fsync: 'on',
    full_page_writes: 'on',
    synchronous_commit: 'on',
    standby_names: '*',
    max_connections: '100',
    is_standby: false,
    synchronous: '1',
    standbys: '1',
  };
  const warnings = (change: Partial<typeof settings>) =>
    factsOf({ ...settings, ...change }, 5).flatMap(({ name, isWarning, meaning }) => (isWarning ? [`${name}: ${meaning}`] : []));

  it('are without a warning where everything is kept on two machines', () => {
    expect(warnings({})).toEqual([]);
    expect(warnings({ synchronous_commit: 'remote_apply' })).toEqual([]);
    // Sluice sets it for itself.
    expect(warnings({ synchronous_commit: 'off' })).toEqual([]);
    expect(warnings({ synchronous: null })).toEqual([]);
  });

  it.each([
    [{ fsync: 'off' }, /^fsync: .*lose or damage/],
    [{ full_page_writes: 'off' }, /^full_page_writes: /],
    [{ standby_names: '', standbys: '0' }, /^synchronous_standby_names: No standby is synchronous.*disk\.$/],
    [{ standby_names: '', standbys: '2' }, /failover to one of its standbys can lose/],
    [{ synchronous: '0' }, /nothing can be acknowledged/],
    [{ max_connections: '20' }, /^max_connections: /],
  ])('warn of %o', (change, text) => {
    expect(warnings(change)).toEqual([expect.stringMatching(text)]);
  });

  it('name every setting once, with its value', () => {
    const facts = factsOf({ ...settings, synchronous_commit: 'local' }, 5);
    expect(facts.map(({ name, value }) => `${name}=${value}`)).toEqual([
      'server_version=16.2',
      'fsync=on',
      'full_page_writes=on',
      'synchronous_commit=local',
      'synchronous_standby_names=*',
      'max_connections=100',
    ]);
    expect(facts[3]?.meaning).toContain('Sluice sets it to "on"');
  });
});

describe('a server that is not there', () => {
  /** The trouble that an opening ends with. */
  const troubleOf = async (url: string): Promise<StoreTrouble> => {
    const error = await openPostgres({ url, logger: silentLogger, connectMs: 200 }).catch((it: unknown) => it);
    expect(error).toBeInstanceOf(StoreTrouble);
    return error as StoreTrouble;
  };
  const portOf = async (server: Server): Promise<number> => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };

  it.each([
    ['accepts and is silent', (socket: Socket) => socket.resume()],
    ['ends the connection', (socket: Socket) => socket.destroy()],
    ['speaks otherwise', (socket: Socket) => socket.end('HTTP/1.1 400 at db7.internal.example\r\n\r\n')],
    ['says that it starts', (socket: Socket) => socket.end(refusal('57P03', 'the database secretdb is starting up'))],
    ['reports what no repetition is known to mend', (socket: Socket) => socket.end(refusal('XX000', 'cannot open /var/lib/pg/secretdb'))],
  ])('may be tried again when it %s: callers are told so, and the log has the rest', async (_, answer) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined).resume();
      answer(socket);
    });
    const port = await portOf(server);
    const { reason, cause } = await troubleOf(`postgres://somebody:hidden@127.0.0.1:${port}/secretdb?schema=mine`);
    expect(reason).toMatch(/^its database (does not answer|cannot be reached|reports an error)$/);
    expect((cause as Error).message).toContain(`postgres://127.0.0.1:${port}/secretdb?schema=mine cannot be used now: `);
    expect((cause as Error).message).not.toContain('hidden');
    server.close();
    await once(server, 'close');
  });

  it('may be tried again when it refuses, or its name is unknown', async () => {
    const server = createServer();
    const port = await portOf(server);
    server.close();
    await once(server, 'close');
    const refused = await troubleOf(`postgres://somebody:hidden@127.0.0.1:${port}/secretdb`);
    expect([refused.reason, (refused.cause as Error).message]).toEqual([
      'its database cannot be reached',
      expect.stringContaining('ECONNREFUSED'),
    ]);
    const unknown = await troubleOf('postgres://somebody:hidden@db7.internal.invalid/secretdb');
    expect(unknown.reason).toMatch(/^its database (does not answer|cannot be reached)$/);
  });
});

/** An ErrorResponse of PostgreSQL's protocol. */
function refusal(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeUInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

describe.skipIf(found === null)('opening', () => {
  let place: ReturnType<typeof ownSchema>;
  const open = (url = place.url) => openPostgres({ url, logger: silentLogger });
  const openAndClose = async () => (await open()).backbone.close();

  beforeEach(() => {
    place = ownSchema(service);
  });
  afterEach(() => place.drop());

  it('makes schema and tables once, also when five nodes start at the same time, and loses nothing when they start again', async () => {
    const opened = await Promise.all(Array.from({ length: 5 }, () => open()));
    await opened[0]?.backbone.log.append(BEGINNING, Buffer.from('first'));
    await Promise.all(opened.map(({ backbone }) => backbone.close()));
    const again = await open();
    expect(await again.backbone.log.ends()).toEqual({ first: 1, last: 1 });
    await again.backbone.close();
    expect(again.server.map(({ name }) => name)).toContain('synchronous_standby_names');
    expect(again.shown).not.toContain('@');
  });

  it('needs no privilege but on its schema, once that is there', async () => {
    const role = `${place.schema}_user`;
    await runOnce(service, `create role ${role} login`);
    try {
      const url = new URL(place.url);
      url.username = role;
      await expect(open(url.href)).rejects.toThrow(/it needs CREATE on the database/);
      await runOnce(service, `create schema ${place.schema} authorization ${role}`);
      const { backbone } = await open(url.href);
      await backbone.log.append(BEGINNING, Buffer.from('x'));
      await backbone.close();
      const again = await open(url.href);
      await again.backbone.close();
    } finally {
      await place.drop();
      await runOnce(service, `drop role ${role}`);
    }
  });

  it('leaves tables of a newer version alone', async () => {
    await openAndClose();
    await runOnce(service, `update ${place.schema}.format set number = ${TABLES_FORMAT + 1}`);
    const error = await open().catch((it: unknown) => it);
    expect(error).toBeInstanceOf(UnusableServer);
    expect((error as Error).message).toContain('made by a newer version of Sluice');
    expect(await runOnce(service, `select number from ${place.schema}.format`)).toEqual([{ number: TABLES_FORMAT + 1 }]);
  });

  it('makes nothing when it is cut short, and everything the next time', async () => {
    await runOnce(service, `create schema ${place.schema}`);
    // A table that is in the way of the third one.
    await runOnce(service, `create table ${place.schema}.snapshot_chunks (x int)`);
    await expect(open()).rejects.toMatchObject({ cause: { message: expect.stringMatching(/snapshot_chunks.*already exists/) } });
    await runOnce(service, `drop table ${place.schema}.snapshot_chunks`);
    await openAndClose();
  });

  it('says that there is no such database, and who may not', async () => {
    const nowhere = new URL(place.url);
    nowhere.pathname = '/no_such_database';
    const error = await open(nowhere.href).catch((it: unknown) => it);
    expect(error).toBeInstanceOf(UnusableServer);
    expect((error as Error).message).toMatch(/no_such_database.*create it first/);
  });

  it('keeps snapshots that are half-written from everybody, and sweeps those that were left', async () => {
    const { backbone } = await open();
    await runOnce(service, `insert into ${place.schema}.snapshots (position) values (90)`);
    await runOnce(service, `insert into ${place.schema}.snapshots (position, touched_at) values (91, now() - interval '11 minutes')`);
    expect(await backbone.snapshots.newest()).toBeNull();
    await backbone.snapshots.put(5, import.meta.filename);
    expect((await backbone.snapshots.newest())?.position).toBe(5);
    expect(await runOnce(service, `select position::int from ${place.schema}.snapshots order by 1`)).toEqual([
      { position: 5 },
      { position: 90 },
    ]);
    for (const position of [6, 7, 8]) await backbone.snapshots.put(position, import.meta.filename);
    expect(await runOnce(service, `select position::int from ${place.schema}.snapshots order by 1`)).toEqual([
      { position: 7 },
      { position: 8 },
      { position: 90 },
    ]);
    await backbone.close();
  });

  it('takes no snapshot that is damaged or incomplete for a file', async () => {
    const { backbone } = await open();
    await backbone.snapshots.put(5, import.meta.filename);
    const to = `/tmp/${place.schema}`;
    const newest = await backbone.snapshots.newest();
    await runOnce(service, `update ${place.schema}.snapshot_chunks set bytes = set_byte(bytes, 7, 0)`);
    await expect(newest?.fetch(to)).rejects.toThrow('checksum');
    await runOnce(service, `delete from ${place.schema}.snapshot_chunks`);
    await expect(newest?.fetch(to)).rejects.toThrow('removed while it was read');
    await backbone.close();
  });
});
