/** The same small job for each client; the test compares what comes of it. */
export interface Use {
  /** Values of every kind that JSON has. */
  feed(pipeline: string, items: unknown[]): Promise<{ feedId: string; accepted: number; ids: string[] }>;
  run(pipeline: string, items: unknown[]): Promise<{ id: string; value: unknown; error: string | null }[]>;
  /** Ids of all completed and failed items, read in pages of two. */
  list(pipeline: string): Promise<string[]>;
  /** The first item that fails after the given event, read from the event stream. */
  firstFailure(pipeline: string, after: string): Promise<{ itemId: string; stage: string; final: boolean }>;
  /** The event that a reader continues after. */
  asOf(pipeline: string): Promise<string>;
  /** What is answered for an item that does not exist, whose id is a URL. */
  problem(pipeline: string, itemId: string): Promise<{ code: string; status: number; fix: string }>;
}

export class Unexpected extends Error {
  constructor(answer: unknown) {
    super(`unexpected: ${JSON.stringify(answer)}`);
  }
}
