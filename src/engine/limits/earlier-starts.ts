import type { RateLimit } from '../../schemas/definition.ts';
import type { KeptStarts } from './gate.ts';

/**
 * The starts of an earlier process that still count in a window. The queue that counts those of this process cannot be told of them: as long as there are any, somebody
 * has to say when it may let the next one go.
 */
export class EarlierStarts {
  /** Oldest first. */
  private starts: KeptStarts = [];

  add(starts: KeptStarts): void {
    this.starts = [...this.starts, ...starts].sort(([a], [b]) => a - b);
  }

  get isOver(): boolean {
    return this.starts.length === 0;
  }

  /** When there is room for one start more beside `own`, the instants of the starts of this process; null when there is room now. */
  opensAt({ limit, perSeconds }: RateLimit, own: readonly number[], now: number): number | null {
    const windowMs = perSeconds * 1000;
    this.starts = this.starts.filter(([at]) => at + windowMs > now);
    if (this.isOver) return null;
    const counting = [...this.starts, ...own.filter((at) => at + windowMs > now).map((at) => [at, 1] as const)];
    let used = counting.reduce((sum, [, count]) => sum + count, 0);
    let opensAt: number | null = null;
    for (const [at, count] of counting.sort(([a], [b]) => a - b)) {
      if (used < limit) break;
      used -= count;
      opensAt = at + windowMs;
    }
    return opensAt;
  }
}
