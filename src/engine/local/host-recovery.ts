import type { Durable } from '../durable/durable.ts';
import { isUnreadable } from '../durable/guarded-shelf.ts';
import type { HostStore } from '../durable/host-store.ts';
import type { Recovered } from '../durable/recovery.ts';
import type { Limiters } from '../limits/limiters.ts';
import type { Clock, Logger } from '../ports.ts';
import type { HostRoom } from './host-room.ts';
import type { LocalRuntime } from './local-runtime.ts';
import type { RuntimeBuilder } from './runtime-builder.ts';

const AGAIN_MS = 500;

export interface HostRecoveryDeps {
  stored: HostStore;
  room: HostRoom;
  builder: RuntimeBuilder;
  limiters: Limiters;
  clock: Clock;
  logger: Logger;
}

/**
 * The pipelines of a store, each restored when it is asked for. Those of `replaced` are about to be loaded anew. Throws `invalid-pipeline` when they
 * have more workers than there may be, before anything is restored: nothing in the store has changed then.
 */
export async function* recoverPipelines(
  { stored, room, builder, limiters, clock, logger }: HostRecoveryDeps,
  replaced: ReadonlySet<string>,
): AsyncGenerator<{ pipeline: LocalRuntime; counts: Recovered }> {
  const readWhenever = <T>(ask: () => T, undo?: () => void): Promise<T> => untilReadable({ stored, clock }, ask, undo);
  const found = await readWhenever(() => {
    stored.crash();
    return stored.pipelines();
  });
  for (const { definition } of found) limiters.defineStored(definition.id, definition.limits ?? {});
  const rebuild = ({ definition, link, source, hasRoutes = true }: (typeof found)[number]): LocalRuntime => {
    const pipeline = builder.rebuild(definition, link);
    pipeline.defined.inFile = source;
    pipeline.core.hasRoutes = hasRoutes;
    return pipeline;
  };
  const rebuilt = found.map(rebuild);
  room.expectStored(found.filter(({ definition }, i) => !replaced.has(definition.id) && rebuilt[i]?.unusable === null));
  for (const [i, first] of rebuilt.entries()) {
    const began = clock.monotonic();
    let pipeline = first;
    const counts = await readWhenever(
      () => pipeline.asked.recover(pipeline.durable as Durable),
      () => {
        // Half of it is restored; nothing of that is stored.
        pipeline.durable?.abandon();
        pipeline = rebuild(found[i] as (typeof found)[number]);
      },
    );
    const { id } = pipeline.core;
    logger.info({ pipeline: id, ...counts, seconds: (clock.monotonic() - began) / 1000 }, 'pipeline recovered');
    if (pipeline.unusable !== null && !replaced.has(id)) {
      const { reason } = pipeline.unusable;
      logger.error({ pipeline: id, reason }, 'the pipeline is stopped, since its definition can no longer be used; its items are kept');
    }
    yield { pipeline, counts };
    // One at a time, so that probes are answered and signals are heard in between.
    await new Promise<void>((resolve) => clock.defer(resolve));
  }
  // Nothing runs yet.
  limiters.restore(await readWhenever(() => stored.storedLimiters()));
}

/** Tries again what the store could not read, after half a second each time, unless it is closed meanwhile; `undo` comes before that. */
async function untilReadable<T>(
  { stored, clock }: Pick<HostRecoveryDeps, 'stored' | 'clock'>,
  ask: () => T,
  undo: () => void = () => undefined,
): Promise<T> {
  for (;;) {
    try {
      return ask();
    } catch (error) {
      if (!isUnreadable(error) || stored.isClosed) throw error;
    }
    undo();
    await new Promise<void>((resolve) => clock.setTimer(resolve, AGAIN_MS));
  }
}
