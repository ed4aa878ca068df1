/** Pipelines lie side by side in one file, and none reaches into another. */
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ItemPacker, WRITE_NEW } from '../../src/engine/contract/item-row.ts';
import type { Store, StoredItem } from '../../src/engine/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { folderWith } from '../loader/folder.ts';
import { livesOf } from './durable-host.ts';
import { noWrites } from './store-writes.ts';

/** As many sequence ids as a pipeline has keys. */
const SEQUENCE_IDS = 2 ** 36;

const row = (seq: number): StoredItem => ({
  ...{ seq, id: null, feed: 0, priority: 0, stage: 1, status: 0, place: 1, ord: seq, task: 0, attempts: 0, deliveries: 0 },
  ...{ accepted: 0, updated: 0, due: null, last_event: 0, value: null, fed: '1', metadata: null, error: null, route: null, size: 1 },
});
const packed = (seq: number) => {
  const packer = new ItemPacker();
  packer.add(WRITE_NEW, row(seq));
  return packer.take();
};

async function storeOfTwo(): Promise<Store> {
  const store = await openSqliteStore({ file: join(folderWith(), 'two.db'), inProcess: true });
  onTestFinished(() => store.close());
  await store.write({
    ...noWrites(),
    created: [
      { pipeline: 1, id: 'first' },
      { pipeline: 2, id: 'second' },
    ],
  });
  return store;
}

describe('a pipeline', () => {
  it('does not find an item of the next one by a sequence id that is too large', async () => {
    const lives = livesOf({ pass: (value: unknown) => value });
    const { host } = await lives.begin();
    for (const id of ['first', 'second']) await host.create({ id, stages: [{ name: 'A', tasks: ['pass'] }] });
    const { results } = await host.get('first').run(['mine'], {});
    await host.get('second').run(['not yours'], {});
    const [prefix] = (results[0]?.id ?? '').split('-');
    expect(await host.get('first').item(`${prefix}-1`)).toMatchObject({ value: 'mine' });
    await expect(host.get('first').item(`${prefix}-${SEQUENCE_IDS + 1}`)).rejects.toMatchObject({ code: 'item-not-found' });
  });

  it('is refused a row that would be the next one’s', async () => {
    const store = await storeOfTwo();
    await store.write(noWrites(1, { items: packed(SEQUENCE_IDS - 1) }));
    await expect(store.write(noWrites(1, { items: packed(SEQUENCE_IDS + 1) }))).rejects.toThrow(RangeError);
    expect(store.shelf(1).bySequence(SEQUENCE_IDS - 1, 'all')).toMatchObject({ seq: SEQUENCE_IDS - 1 });
    expect(store.shelf(2).bySequence(1, 'all')).toBeUndefined();
  });
});
