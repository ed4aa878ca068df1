/** The answers to who waits at any node when the pipeline, and not the service, ends. */
import { describe, expect, it } from 'vitest';
import { definition } from '../app-harness.ts';
import { startCluster } from './cluster-harness.ts';
import { reach } from './wire.ts';

describe('who waits for items of a pipeline', () => {
  const removal = { status: 404, code: 'pipeline-not-found' };
  it.each([
    ['removed', 'DELETE', '/pipelines/p?mode=force', undefined, removal],
    ['stopped', 'POST', '/pipelines/p/shutdown', { mode: 'force' }, { status: 409, code: 'invalid-state' }],
  ] as const)('that is %s is told so at the owner and at a node that follows, and nothing of a shutdown of the service', async (...row) => {
    const [, method, path, body, problem] = row;
    const { cluster, gate, ask } = await startCluster(2);
    await cluster.elect('a');
    await ask('a', 'POST', '/pipelines', definition('p', 'gated'));
    await ask('a', 'POST', '/pipelines/p/feed', { feedId: 'f', items: [{ id: 'one' }] });
    await gate.arrived('one');
    const waiting = ['a', 'b'].flatMap((node) => [
      ask(node, 'POST', '/pipelines/p/feeds/f/wait'),
      ask(node, 'POST', '/pipelines/p/run', { feedId: `run-${node}`, items: [{ id: 'one' }, { id: `of-${node}` }] }),
      ask(node, 'POST', '/pipelines/p/wait', { itemIds: ['one'], returnWhen: 'ALL_COMPLETED' }),
      ask(node, 'POST', '/pipelines/p/run', `{"id":"late-${node}"}\n`, { accept: 'application/json' }),
    ]);
    await reach(async () => (await ask('a', 'GET', '/pipelines/p/stats')).body.itemsFed === 5);
    await ask('b', method, path, body);
    for (const answer of await Promise.all(waiting)) {
      expect(answer.body).toMatchObject(problem);
      expect(JSON.stringify(answer.body)).not.toMatch(/service|shutting/);
      expect(answer.headers.get('retry-after')).toBeNull();
    }
    expect((await ask('b', 'GET', '/readyz')).status).toBe(200);
  });
});
