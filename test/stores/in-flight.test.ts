import { expect, it } from 'vitest';
import { systemPorts } from '../../src/engine/ports.ts';
import { named } from '../conformance/world.ts';
import { createGate } from '../engine/harness.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { livesOf } from './durable-host.ts';
import { FailingStore } from './failing-store.ts';

it('an item whose row is on its way to a slow store stays known when its queue grows beyond memory', async () => {
  const gate = createGate();
  const clock = new VirtualClock();
  const disk = new FailingStore();
  const lives = livesOf(
    { gated: gate.task },
    { queueWindow: 2, ports: { ...systemPorts, clock, uniqueId: countedIds() } },
    (work) => clock.finish(work),
    (store) => disk.of(store),
  );
  const { host } = await lives.begin();
  await clock.finish(host.create({ id: 'p', stages: [{ name: 'A', tasks: ['gated'] }] }));
  const p = host.get('p');
  disk.hangs = true;
  const first = p.feed(named('a', 'b', 'c', 'd'), {});
  await clock.settle();
  // The queue is longer than twice the window now, so all but two leave memory.
  const second = p.feed(named('e', 'f', 'g', 'h'), {});
  const again = p.feed(named('a', 'b', 'c', 'd', 'e'), {});
  await clock.settle();
  disk.hangs = false;
  expect(await clock.finish(Promise.all([first, second, again]))).toMatchObject([
    { accepted: 4, duplicates: 0 },
    { accepted: 4, duplicates: 0 },
    { accepted: 0, duplicates: 5 },
  ]);
  expect(await clock.finish(p.stats())).toMatchObject({ itemsFed: 8 });
});
