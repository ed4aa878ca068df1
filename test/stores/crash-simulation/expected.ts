import { Told } from '../told.ts';

interface Note {
  /** The last entry that the owner's file had when it became known: what is known comes from there, or before. */
  readonly position: number;
  readonly apply: (known: Known) => void;
}

/** What was promised or told. */
export class Known {
  readonly acknowledged = new Set<string>();
  /** Every event that a reader was shown, as text. */
  readonly shown: string[] = [];
  /** The ids that were answered under an idempotency key. */
  readonly keys = new Map<string, string[]>();
  readonly told = new Told();
}

/** What is known, as far as the log has not lost it since. */
export class Expected {
  private known = new Known();
  private notes: Note[] = [];
  private readonly position: () => number;

  constructor(position: () => number) {
    this.position = position;
  }

  get now(): Known {
    return this.known;
  }

  note(apply: (known: Known) => void): void {
    apply(this.known);
    this.notes.push({ position: this.position(), apply });
  }

  /** Nobody promises anything about the entries after this position: they are gone from the log. */
  forgetAfter(position: number): void {
    this.notes = this.notes.filter((note) => note.position <= position);
    this.known = new Known();
    for (const { apply } of this.notes) apply(this.known);
  }
}
