/** The folder that a node keeps its copy in, before it listens. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { joinCluster } from '../../src/composition/joining.ts';
import { ConfigError } from '../../src/config.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { folderWith } from '../loader/folder.ts';

/** Begins to take part with this folder. Nothing of the process is reached before the folder is there. */
function begin(dataDir: string): Promise<unknown> {
  return joinCluster({
    config: { storeUrl: 'postgres://127.0.0.1:1/db', host: '127.0.0.1' },
    cluster: { dataDir },
    hosts: { hands: {} },
    ...{ loaded: { definitions: [], limiters: [] }, fail: () => undefined, logger: silentLogger },
  } as unknown as Parameters<typeof joinCluster>[0]);
}

describe('DATA_DIR', () => {
  it.each([
    ['a file', (folder: string) => join(folder, 'file')],
    ['below a file', (folder: string) => join(folder, 'file', 'data')],
  ])('that is %s is a fault of the configuration', async (_, of) => {
    const folder = folderWith();
    writeFileSync(join(folder, 'file'), '');
    const dataDir = of(folder);
    const error = await begin(dataDir).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).faults).toEqual([expect.stringContaining(`DATA_DIR ${dataDir} cannot be written: `)]);
  });

  it('is made, with the folders above it', async () => {
    await expect(begin(join(folderWith(), 'new', 'data'))).resolves.toBeDefined();
  });
});
