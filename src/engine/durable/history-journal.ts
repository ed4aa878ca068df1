import { OF_STORE, type PipelineWrites } from '../store.ts';
import type { Changing, Flusher } from './flusher.ts';

/** Names of facts about the past of pipelines begin so; the pipeline's number, the resolution and the number of a chunk follow. */
export const HISTORY = 'history ';

export function historyFact(pipeline: number, resolution: number, chunk: number): string {
  return `${historyFacts(pipeline)}${resolution} ${chunk}`;
}

/** Names of the facts of one pipeline begin so. */
export function historyFacts(pipeline: number): string {
  return `${HISTORY}${pipeline} `;
}

/**
 * Has the flusher write facts of the store itself, with what else it writes: what pipelines have measured, and what seldom changes. One that changes twice between
 * two writes is written once.
 */
export class HistoryJournal implements Changing {
  readonly capturedCharacters = 0;
  private readonly flusher: Flusher;
  private readonly changed = new Map<string, () => string | null>();

  constructor(flusher: Flusher) {
    this.flusher = flusher;
    flusher.add(this);
  }

  /** `json` is asked for the newest state when it is written; null: there is nothing to keep. */
  touch(fact: string, json: () => string | null): void {
    this.changed.set(fact, json);
    this.flusher.stir();
  }

  capture(): PipelineWrites | null {
    if (this.changed.size === 0) return null;
    const facts = [...this.changed].map(([name, json]): [string, string | null] => [name, json()]);
    this.changed.clear();
    return {
      ...{ pipeline: OF_STORE, items: null, feeds: [], removedFeeds: [], answers: [], removedAnswers: [], ends: null, endsBefore: 0 },
      ...{ emptied: [], removed: [], events: null, eventsBefore: 0, parkedShift: 0, facts },
    };
  }

  written(): void {
    // It is captured as a whole.
  }

  end(): void {
    this.changed.clear();
  }
}
