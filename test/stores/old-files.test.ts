/** Files of other versions: whatever has written them, a start reads the same from them. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { backup } from '../../src/stores/sqlite/backup.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { folderWith } from '../loader/folder.ts';
import { livesOf } from './durable-host.ts';
import { FULL_OPTIONS, fillStore, fullTasks, lookAt, openHost } from './full-store.ts';

/*
 * `<name>.db.gz` is what `fillStore` leaves, `<name>.lines` is what the code of that time said of it. For a new format:
 *
 *     NEW_FIXTURE=format-3 npx vitest run test/stores/old-files.test.ts
 */
const FIXTURES = new URL('fixtures/', import.meta.url).pathname;
const names = readdirSync(FIXTURES).flatMap((name) => (name.endsWith('.db.gz') ? [name.slice(0, -'.db.gz'.length)] : []));
const made = process.env.NEW_FIXTURE;

/** What a start on the file says, and the answers that are kept under keys. */
async function seenIn(file: string): Promise<string[]> {
  const store = await openSqliteStore({ file, inProcess: true });
  const answers = ['run', 'feed'].map((key) => JSON.stringify(store.shelf(1).answer(key)));
  const host = await openHost(store);
  const lines = await lookAt(host);
  await host.close();
  return [...lines, ...answers];
}

/** Without the epochs of events, which a copy has of its own, and without ages, which are of the moment. */
function withoutEpochs(lines: readonly string[]): string[] {
  return withoutAges(lines).map((line) => line.replace(/"asOf":"[^"]*-(\d+)"/g, '"asOf":"-$1"'));
}

function withoutAges(lines: readonly string[]): string[] {
  return lines.map((line) => line.replace(/"oldestItemAgeSeconds":[^,]+,/g, ''));
}

it.each(names)('%s is read as when it was written', async (name) => {
  const file = join(folderWith(), 'old.db');
  writeFileSync(file, gunzipSync(readFileSync(join(FIXTURES, `${name}.db.gz`))));
  expect(audit(file).faults).toEqual([]);
  const expected = readFileSync(join(FIXTURES, `${name}.lines`), 'utf8')
    .trimEnd()
    .split('\n');
  expect(expected.length).toBeGreaterThan(100);
  const isOfCopy = expected.some((line) => line.includes('"asOf":"-'));
  const found = await seenIn(file);
  const seen = isOfCopy ? withoutEpochs(found) : found;
  expect(seen).toHaveLength(expected.length);
  // A later version may say more of a thing.
  for (const [i, line] of expected.entries()) expect(JSON.parse(seen[i] as string)).toMatchObject(JSON.parse(line));
});

it('a file of this version is read as when it was written', async () => {
  const lives = livesOf(fullTasks, FULL_OPTIONS);
  await fillStore(lives);
  const copy = join(folderWith(), 'copy.db');
  backup(lives.file(), copy);
  const lines = await seenIn(lives.file());
  expect(lines.filter((line) => line.startsWith('["p","item"'))).toHaveLength(15);
  const inCopy = await seenIn(copy);
  expect(inCopy).not.toEqual(lines);
  expect(withoutEpochs(inCopy)).toEqual(withoutEpochs(lines));
  expect(withoutAges(await seenIn(copy))).toEqual(withoutAges(inCopy));
  if (made === undefined) return;
  const file = join(folderWith(), 'made.db');
  backup(lives.file(), file);
  writeFileSync(join(FIXTURES, `${made}.db.gz`), gzipSync(readFileSync(file), { level: 9 }));
  writeFileSync(join(FIXTURES, `${made}.lines`), `${withoutEpochs(await seenIn(file)).join('\n')}\n`);
});
