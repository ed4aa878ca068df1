/** Wakes whoever waits when it is rung, or when the time is up. Counts its rings, so that none between a look and a wait is missed. */
export class Bell {
  private waiters = new Set<() => void>();
  rings = 0;

  ring(): void {
    this.rings++;
    for (const wake of this.waiters) wake();
  }

  /** Resolves at once when it has been rung since it had rung `rings` times. */
  async wait(rings: number, ms: number): Promise<void> {
    if (this.rings !== rings) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.waiters.add(resolve);
    await promise;
    clearTimeout(timer);
    this.waiters.delete(resolve);
  }
}
