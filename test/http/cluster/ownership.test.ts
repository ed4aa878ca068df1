import { describe, expect, it } from 'vitest';
import type { Loaded } from '../../../src/loader/definitions.ts';
import { filesHash } from '../../../src/loader/files-hash.ts';
import type { PipelineDefinition } from '../../../src/schemas/definition.ts';
import { startCluster } from './cluster-harness.ts';

/** What files with one pipeline hold, which has this description. */
function filesWith(description: string): Loaded {
  const definition = { id: 'p', description, stages: [{ name: 'S', tasks: ['echo'] }] } as unknown as PipelineDefinition;
  return {
    definitions: [{ definition, source: 'p.yaml:1', place: () => 'p.yaml:1', placeAt: () => ({ file: 'p.yaml', line: 1 }) }],
    limiters: [],
  };
}

const DIFFER = 'the definitions in the files of this node are not those that were loaded last';

describe('the definitions in the files of a node that comes to own', () => {
  it('are loaded when none ever were, and leave what was done since alone', async () => {
    const { cluster, ask } = await startCluster(2, { files: () => filesWith('one') });
    await cluster.elect('a');
    expect((await ask('a', 'GET', '/pipelines/p')).body.definition.description).toBe('one');
    await ask('a', 'PUT', '/pipelines/q', { stages: [{ name: 'S', tasks: ['echo'] }] });
    await ask('a', 'DELETE', '/pipelines/p?mode=force');
    await cluster.elect('b');
    expect((await ask('b', 'GET', '/pipelines')).body.pipelines.map(({ id }: { id: string }) => id)).toEqual(['q']);
  });

  it('do not take the place of others unless an operator has said so, and the node says that they differ', async () => {
    const { cluster, ask, members } = await startCluster(2, { files: filesWith });
    await cluster.elect('a');
    await cluster.elect('b');
    expect((await ask('b', 'GET', '/pipelines/p')).body.definition.description).toBe('a');
    expect(members.b?.logs.filter(({ msg }) => String(msg).startsWith(DIFFER))).toHaveLength(1);
    expect(members.a?.logs.filter(({ msg }) => String(msg).startsWith(DIFFER))).toEqual([]);
  });

  it.each([
    ['files', 'b'],
    ['log', undefined],
  ] as const)('are dealt with as PIPELINES_FROM=%s says', async (pipelinesFrom, found) => {
    const { cluster, ask, members } = await startCluster(2, { files: filesWith, pipelinesFrom });
    await cluster.elect('a');
    await cluster.elect('b');
    expect((await ask('b', 'GET', '/pipelines/p')).body.definition?.description).toBe(found);
    expect(members.b?.logs.filter(({ msg }) => String(msg).startsWith(DIFFER))).toEqual([]);
  });

  it('are loaded by the owner when they are read again, and by nobody else', async () => {
    const { cluster, ask, members } = await startCluster(2, { files: () => filesWith('old') });
    await cluster.elect('a');
    const [a, b] = [members.a?.clustered, members.b?.clustered];
    expect([a?.rereads(filesWith('new')), b?.rereads(filesWith('new'))]).toEqual([true, false]);
    await a?.host.load(filesWith('new').definitions[0]?.definition, { isStart: false });
    await a?.host.keepFiles(JSON.stringify(filesHash(filesWith('new'))));
    await ask('a', 'POST', '/pipelines/p/pause');
    await cluster.elect('b');
    expect((await ask('b', 'GET', '/pipelines/p')).body.definition.description).toBe('new');
    expect(members.b?.logs.filter(({ msg }) => String(msg).startsWith(DIFFER))).toEqual([]);
  });
});

describe('a node that cannot make its pipelines', () => {
  it('says so, and serves nobody', async () => {
    const { cluster, ask, members } = await startCluster(2, { files: () => filesWith('one'), takeoverWaitSeconds: 0.05 });
    await cluster.elect('a');
    const broken = filesWith('two');
    (broken.definitions[0]?.definition as { stages: object[] }).stages = [{ name: 'S', tasks: ['gone'] }];
    members.b?.clustered.rereads(broken);
    await expect(cluster.elect('b')).rejects.toThrow('The pipeline definitions cannot be used');
    expect(members.b?.clustered.view.term).toBeNull();
    expect((await ask('a', 'GET', '/pipelines')).body.code).toBe('no-owner');
  });
});
