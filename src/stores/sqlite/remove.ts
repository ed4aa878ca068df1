import { checkFile, StoreFileError } from './file.ts';
import { openSqliteStore } from './index.ts';

/**
 * Deletes a pipeline from a store that no service works with, with everything that it holds. Throws {@link StoreFileError} when the file cannot be
 * used or has no such pipeline; nothing has changed then.
 */
export async function removePipeline(file: string, id: string): Promise<void> {
  if (checkFile(file) === 'new') throw new StoreFileError(`${file} does not exist`);
  const store = await openSqliteStore({ file, inProcess: true });
  try {
    const found = store.pipelines().find((each) => each.id === id);
    if (found === undefined) throw new StoreFileError(`${file} has no pipeline "${id}"`);
    await store.write({ created: [], pipelines: [], dropped: [found.pipeline] });
  } finally {
    await store.close();
  }
}
