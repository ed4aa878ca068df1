import type { Entry, Log } from '../../src/cluster/log/log.ts';

/** Somebody who follows a log, and what he was given. */
export interface Followed {
  readonly entries: Entry[];
  /** Resolves when this many entries have been handled. */
  count(wanted: number): Promise<void>;
  /** Resolves with the reason when the log is lost. */
  readonly lost: Promise<unknown>;
  readonly losses: unknown[];
  stop(): Promise<void>;
}

export async function followed(log: Log, after: number, each: (entry: Entry) => Promise<void> = async () => undefined): Promise<Followed> {
  const entries: Entry[] = [];
  const losses: unknown[] = [];
  const waiting: { wanted: number; resolve: () => void }[] = [];
  const { promise: lost, resolve: tellLost } = Promise.withResolvers<unknown>();
  const { stop } = await log.follow(
    after,
    async (entry) => {
      await each(entry);
      entries.push(entry);
      for (const { wanted, resolve } of waiting) if (entries.length >= wanted) resolve();
    },
    (why) => {
      losses.push(why);
      tellLost(why);
    },
  );
  return {
    entries,
    losses,
    lost,
    stop,
    count: (wanted) =>
      entries.length >= wanted ? Promise.resolve() : new Promise<void>((resolve) => void waiting.push({ wanted, resolve })),
  };
}
