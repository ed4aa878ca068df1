/**
 * Where the engine notes what it calls in the event loop, so that a thread can say what holds the loop although the loop can say
 * nothing. Around every call it is noted in two fields, which costs a few nanoseconds (bench/watchdog.ts): a loop that can be interrupted is
 * asked for them. Only the code of users can block where nothing interrupts it, so around its calls they stand in shared memory too.
 *
 *     cells   0: where and what, 0 when no user's code runs   1: its item's sequence id   2: beats of the loop
 *             3: 1 while a debugger may be at work
 *     chars   0: length of the item's id   1…: its UTF-16 units
 */
import { CALLS_MAX, type LoopNotes, type NotedWorker, type Work } from '../engine/ports.ts';

/** Longer ids are shown shortened. */
const CHARS_MAX = 128;

/** Encoding of `cells[0]`: `place * CALLS_MAX + call`. */
export interface Place {
  place: number;
  pipeline: string;
  stage: string;
  tasks: readonly string[];
}

export const CELL = { where: 0, sequence: 1, beats: 2, debugged: 3 } as const;

export interface SharedNotes {
  cells: SharedArrayBuffer;
  chars: SharedArrayBuffer;
}

export class SharedLoopNotes implements LoopNotes {
  readonly shared: SharedNotes = {
    cells: new SharedArrayBuffer(Object.keys(CELL).length * Float64Array.BYTES_PER_ELEMENT),
    chars: new SharedArrayBuffer((1 + CHARS_MAX) * Uint16Array.BYTES_PER_ELEMENT),
  };
  /** Told of every place, those included that are known when it is set. */
  private onPlace: (place: Place) => void = () => undefined;
  private readonly cells = new Float64Array(this.shared.cells);
  private readonly chars = new Uint16Array(this.shared.chars);
  /** By number, from 1; a number whose pipeline is gone is used again. */
  private readonly places: (Place | undefined)[] = [undefined];
  private readonly free: number[] = [];
  private readonly numbers = new Map<string, Map<string, number>>();
  private worker: NotedWorker | null = null;
  private where = 0;

  place(pipeline: string, stage: string, tasks: readonly string[]): number {
    let stages = this.numbers.get(pipeline);
    if (stages === undefined) {
      stages = new Map();
      this.numbers.set(pipeline, stages);
    }
    const number = stages.get(stage) ?? this.free.pop() ?? this.places.length;
    stages.set(stage, number);
    const place = { place: number, pipeline, stage, tasks };
    this.places[number] = place;
    this.onPlace(place);
    return number * CALLS_MAX;
  }

  leave(pipeline: string): void {
    for (const number of this.numbers.get(pipeline)?.values() ?? []) {
      this.places[number] = undefined;
      this.free.push(number);
    }
    this.numbers.delete(pipeline);
  }

  begin(worker: NotedWorker, where: number): void {
    this.worker = worker;
    this.where = where;
  }

  end(): void {
    this.where = 0;
  }

  /** The noted call that is running now. */
  get work(): Work | null {
    const { where } = this;
    const item = this.worker?.item;
    if (where === 0 || !item) return null;
    return { ...workOf(this.places[Math.floor(where / CALLS_MAX)], where), item: item.id, sequenceId: item.sequenceId };
  }

  /** Calls what is a user's: beside what is noted, its item is named, for the case that it never returns. */
  naming<T>({ item, sequenceId }: Work, call: () => T): T {
    const { cells, chars } = this;
    const id = item ?? '';
    const length = Math.min(id.length, CHARS_MAX);
    for (let i = 0; i < length; i++) chars[i + 1] = id.charCodeAt(i);
    chars[0] = length;
    cells[CELL.sequence] = sequenceId ?? 0;
    cells[CELL.where] = this.where;
    try {
      return call();
    } finally {
      cells[CELL.where] = 0;
      cells[CELL.sequence] = 0;
    }
  }

  beat(isDebugged: boolean): void {
    this.cells[CELL.beats] = (this.cells[CELL.beats] as number) + 1;
    this.cells[CELL.debugged] = isDebugged ? 1 : 0;
  }

  /** Hands over the places that are known, and those that come. */
  tell(onPlace: (place: Place) => void): void {
    this.onPlace = onPlace;
    for (const place of this.places) if (place !== undefined) onPlace(place);
  }
}

const CALLBACKS = ['skipIf', 'onSuccess', 'onFailure', 'onSkip', 'pauseAfterFailures'] as const;

/** The names that a number stands for. */
export function workOf(place: Place | undefined, where: number): Pick<Work, 'pipeline' | 'stage' | 'task'> {
  const call = where % CALLS_MAX;
  const fromEnd = CALLS_MAX - 1 - call;
  const task = CALLBACKS[fromEnd] ?? place?.tasks[call] ?? null;
  return { pipeline: place?.pipeline ?? null, stage: place?.stage ?? null, task };
}
