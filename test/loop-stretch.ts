/** The longest that the event loop was held in one go, and all that was spent meanwhile, in milliseconds of processor time of this thread. */
export interface Stretch {
  longestMs: number;
  totalMs: number;
}

/**
 * Does some work and tells how long it has held the event loop at a time. It goes by the processor time of this thread, which other processes of a busy machine do not add to,
 * as they do to the time on the wall.
 */
export async function longestStretch(work: () => Promise<unknown>): Promise<Stretch> {
  let isOver = false;
  let longestMs = 0;
  const begun = spentMs();
  let before = begun;
  const look = (): void => {
    const now = spentMs();
    longestMs = Math.max(longestMs, now - before);
    before = now;
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  try {
    await work();
  } finally {
    isOver = true;
    look();
  }
  return { longestMs, totalMs: spentMs() - begun };
}

function spentMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
