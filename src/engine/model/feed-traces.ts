import type { TraceContext } from '../../schemas/trace-context.ts';

/** The number of a feed's requests that are told apart. Items of earlier ones are linked to nothing rather than to the wrong one. */
const SENDS_MAX = 16;

/** As a store keeps it: the first sequence id of a request's items, and the headers of its place in a trace if it has one. */
type StoredSend = [from: number, traceparent?: string, tracestate?: string];

interface Send {
  readonly from: number;
  readonly trace: TraceContext | null;
}

/** The places in traces of the requests that have sent a feed's items: the request that opened it, repeats that went on with it, and those that appended. */
export class FeedTraces {
  private sends: Send[] = [];
  /** The place of a request of which no item has been accepted yet. */
  private next: TraceContext | null | undefined;

  /** Restores what {@link FeedTraces.stored} has made. */
  static from(stored: string): FeedTraces {
    const traces = new FeedTraces();
    traces.sends = (JSON.parse(stored) as StoredSend[]).map(([from, traceparent, tracestate]) => {
      if (traceparent === undefined) return { from, trace: null };
      return { from, trace: tracestate === undefined ? { traceparent } : { traceparent, tracestate } };
    });
    return traces;
  }

  /** Another request sends: what is taken from now on is its own. */
  begin(trace: TraceContext | null): void {
    this.next = trace;
  }

  /** Called with the sequence id of each item that is accepted, in order. */
  take(sequenceId: number): void {
    const { next } = this;
    if (next === undefined) return;
    this.next = undefined;
    this.sends.push({ from: sequenceId, trace: next });
    if (this.sends.length > SENDS_MAX) this.sends.shift();
  }

  /** The place of the request that sent this item; null when it has none, or is no longer known. */
  of(sequenceId: number): TraceContext | null {
    return this.sends.findLast(({ from }) => from <= sequenceId)?.trace ?? null;
  }

  /** The places of all requests that are known, in their order. */
  get all(): TraceContext[] {
    return this.sends.flatMap(({ trace }) => (trace === null ? [] : [trace]));
  }

  /** As a text for a store, of some 10 000 characters at most; null when there is nothing to keep. */
  get stored(): string | null {
    if (this.sends.every(({ trace }) => trace === null)) return null;
    const rows = this.sends.map(({ from, trace }): StoredSend => {
      if (trace === null) return [from];
      return trace.tracestate === undefined ? [from, trace.traceparent] : [from, trace.traceparent, trace.tracestate];
    });
    return JSON.stringify(rows);
  }
}
