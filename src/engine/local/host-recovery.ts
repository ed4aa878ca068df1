import type { Durable } from '../durable/durable.ts';
import type { HostStore } from '../durable/host-store.ts';
import type { Recovered } from '../durable/recovery.ts';
import type { Clock, Logger } from '../ports.ts';
import type { HostRoom } from './host-room.ts';
import type { LocalRuntime } from './local-runtime.ts';
import type { RuntimeBuilder } from './runtime-builder.ts';

export interface HostRecoveryDeps {
  stored: HostStore;
  room: HostRoom;
  builder: RuntimeBuilder;
  clock: Clock;
  logger: Logger;
}

/**
 * The pipelines of a store, each restored when it is asked for. Those of `replaced` are about to be loaded anew. Throws `invalid-pipeline` and what
 * {@link RuntimeBuilder.rebuild} throws before anything is restored: nothing in the store has changed then.
 */
export async function* recoverPipelines(
  { stored, room, builder, clock, logger }: HostRecoveryDeps,
  replaced: ReadonlySet<string>,
): AsyncGenerator<{ pipeline: LocalRuntime; counts: Recovered }> {
  const found = stored.pipelines();
  room.expectStored(found.filter(({ definition }) => !replaced.has(definition.id)));
  const rebuilt = found.map(({ definition, link, source, hasRoutes = true }) => {
    const pipeline = builder.rebuild(definition, link, replaced.has(definition.id));
    pipeline.defined.inFile = source;
    pipeline.defined.hasRoutes = hasRoutes;
    return pipeline;
  });
  for (const pipeline of rebuilt) {
    const began = clock.monotonic();
    const counts = pipeline.asked.recover(pipeline.durable as Durable);
    logger.info({ pipeline: pipeline.core.id, ...counts, seconds: (clock.monotonic() - began) / 1000 }, 'pipeline recovered');
    yield { pipeline, counts };
    // One at a time, so that probes are answered and signals are heard in between.
    await new Promise<void>((resolve) => clock.defer(resolve));
  }
}
