import { expect, it } from 'vitest';
import { SILENT_MS } from '../../src/cluster/appender.ts';
import { createLocalHost } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { HOST, registryOf } from '../stores/durable-host.ts';
import { FaultLog } from './fault-log.ts';
import { claim, replicaAt, storeOn } from './replicas.ts';

const STEP_MS = 300;

it('nothing begins on an owner whose log has not answered for half a second, until it does', async () => {
  const clock = new VirtualClock();
  const server = new FaultLog(clock);
  const replica = await replicaAt();
  await claim(server.link(), replica, 'a', clock.now());
  const begun: unknown[] = [];
  const step = (value: unknown): Promise<unknown> => {
    begun.push(value);
    return new Promise((resolve) => void clock.setTimer(() => resolve(value), STEP_MS));
  };
  const ports = { ...systemPorts, clock, uniqueId: countedIds() };
  const host = createLocalHost({ ...HOST, registry: registryOf({ step }), ports, store: storeOn(server.link(), replica, clock) });
  await clock.finish(host.recover(new Set()));
  host.goOn();
  await clock.finish(host.create({ id: 'p', stages: [{ name: 'A', workers: 1, tasks: ['step'] }] }));
  await clock.finish(host.get('p').feed([1, 2, 3, 4, 5], {}));
  await clock.settle();
  expect(begun).toEqual([1]);

  server.isStalled = true;
  // The first that ends has to be stored, and is not; that is no trouble before it has lasted.
  await clock.advance(STEP_MS + SILENT_MS);
  expect(begun).toEqual([1, 2, 3]);
  await clock.advance(3 * STEP_MS);
  expect(begun).toEqual([1, 2, 3]);

  server.isStalled = false;
  await clock.advance(5 * STEP_MS);
  expect(begun).toEqual([1, 2, 3, 4, 5]);
  await clock.finish(host.shutdown('force', 1));
  await clock.finish(host.close());
});
