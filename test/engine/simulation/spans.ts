import type { ProcessSpan, SendSpan, TracedItem, Tracer } from '../../../src/engine/ports.ts';
import type { Report } from './violation.ts';

/** Counts the spans of a run: each ends once, and says how. */
export class Spans implements Tracer {
  /** Those that are under way, by what they are of. */
  readonly open = new Set<string>();
  private readonly report: Report;
  private count = 0;

  constructor(report: Report) {
    this.report = report;
  }

  send({ feedId }: { feedId: string }): SendSpan {
    return this.begin(`the feed ${feedId}`);
  }

  process({ itemId, worker, attempt }: TracedItem): ProcessSpan {
    if (attempt < 1) this.report(10, `the span of ${itemId} with ${worker} is of the attempt ${attempt}`);
    return this.begin(`${itemId} with ${worker}`);
  }

  done({ feedId }: { feedId: string }): ProcessSpan {
    return this.begin(`the hook of ${feedId}`);
  }

  /** Those of items that are under way. */
  get processing(): number {
    return [...this.open].filter((what) => what.includes(' with ')).length;
  }

  private begin(what: string): ProcessSpan & SendSpan {
    const key = `${what}, span ${++this.count}`;
    this.open.add(key);
    return {
      context: null,
      within: (work) => work(),
      end: () => {
        if (!this.open.delete(key)) this.report(10, `the span of ${key} has ended twice`);
      },
    };
  }
}
