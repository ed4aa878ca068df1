/**
 * The PostgreSQL that tests use: `TEST_POSTGRES_URL`, else one on the default port, else one that is started for the file, else none: then
 * those tests are skipped with a line that says so, and under `CI=true` one of them fails.
 */
import { randomUUID } from 'node:crypto';
import { userInfo } from 'node:os';
import { afterAll, expect, it } from 'vitest';
import { postgresBinaries, runOnce, startOwnPostgres } from './postgres-binaries.ts';

const DEFAULT = '127.0.0.1:5432';

/** The URL of a database in which schemas may be made, or null. Called once by a file of tests, on its top level. */
export async function findPostgres(): Promise<string | null> {
  const given = process.env.TEST_POSTGRES_URL;
  const { username } = userInfo();
  const usual = [`${username}@${DEFAULT}/test`, `${username}@${DEFAULT}/${username}`, `postgres@${DEFAULT}/postgres`];
  for (const url of given === undefined ? usual.map((place) => `postgres://${place}`) : [given]) {
    try {
      await runOnce(url, 'select 1');
      return url;
    } catch (error) {
      if (given !== undefined) throw error;
    }
  }
  if (postgresBinaries() !== undefined) {
    const own = await startOwnPostgres();
    afterAll(() => own.dispose());
    return own.url;
  }
  it('has a PostgreSQL to be tested with, in CI', () => expect(process.env.CI).not.toBe('true'));
  process.stderr.write(
    'SKIPPED: no PostgreSQL is there, so nothing of it is tested. Set TEST_POSTGRES_URL, start one on the default port, or install one.\n',
  );
  return null;
}

/** A schema of its own: its URL, and a way to drop it. */
export function ownSchema(url: string): { url: string; schema: string; drop(): Promise<void> } {
  const schema = `test_${randomUUID().replaceAll('-', '').slice(0, 20)}`;
  const place = new URL(url);
  place.searchParams.set('schema', schema);
  // By which its connections are found among those of the server.
  place.searchParams.set('application_name', schema);
  return { url: place.href, schema, drop: async () => void (await runOnce(url, `drop schema if exists ${schema} cascade`)) };
}
