/** Nothing stays of a pipeline that was deleted, in the process either. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it, onTestFinished } from 'vitest';
import { createLocalHost, type LocalHost } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { ended, named } from '../conformance/world.ts';
import { folderWith } from '../loader/folder.ts';
import { HOST, registryOf } from './durable-host.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const COUNT = 5;
/** A part may be held by a turn of the event loop that is not over; each look collects the garbage of this whole process. */
const LOOKS = 20;

async function hostOn(kind: string): Promise<LocalHost> {
  const store = kind === 'sqlite' ? await openSqliteStore({ file: `${folderWith()}/sluice.db`, inProcess: true }) : undefined;
  const registry = registryOf({ pass: (value) => value });
  const host = createLocalHost({ ...HOST, registry, ports: systemPorts, ...(store !== undefined && { store }) });
  onTestFinished(async () => {
    await host.shutdown('force', 1);
    await host.close();
  });
  return host;
}

/** A pipeline that comes, works, is followed and goes; weakly held, as a whole and its parts. */
async function comeAndGo(host: LocalHost): Promise<WeakRef<object>[]> {
  await host.create({
    id: 'p',
    stages: [{ name: 'S', workers: 2, tasks: ['pass'], taskRateLimits: { pass: { limit: 100, perSeconds: 60 } } }],
  });
  const pipeline = host.get('p');
  await pipeline.feed(named('a', 'b', 'c'), {});
  await ended(pipeline, 3);
  await pipeline.tune('S', { workers: 3 });
  const held = [pipeline, pipeline.core, pipeline.core.events, ...pipeline.core.stages].map((part) => new WeakRef<object>(part));
  await host.remove('p', 'force');
  return held;
}

it.each(['memory', 'sqlite'])('a deleted pipeline leaves nothing behind: %s', async (kind) => {
  const host = await hostOn(kind);
  const held: WeakRef<object>[] = [];
  for (let i = 0; i < COUNT; i++) held.push(...(await comeAndGo(host)));
  // One that is there, so that nothing holds the last one for want of another.
  await host.create({ id: 'q', stages: [{ name: 'S', tasks: ['pass'] }] });
  const left = (): number => held.filter((part) => part.deref() !== undefined).length;
  for (let look = 0; look < LOOKS && left() > 0; look++) {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
  }
  expect(left()).toBe(0);
  expect(host.get('q').core.state).toBe('running');
});
