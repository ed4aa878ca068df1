import type { Item, Stage } from '../model/model.ts';
import type { Clock } from '../ports.ts';

/** A pipeline's scheduler, as the quarantine sees it. */
export interface Filler {
  /** Gives waiting items to the idle workers of a stage, in a turn of its own. */
  fillNow(stage: Stage): void;
}

export interface QuarantineDeps {
  clock: Clock;
  /** The crashes after which an item fails, if it is to blame for them. */
  maxDeliveries: number;
  /** Resolves when all that has happened until now is stored; undefined when it is. */
  settled: () => Promise<boolean> | undefined;
}

/** The suspects of one kind are tried in at most this many groups. */
const GROUPS = 16;
/** Others wait no longer than this for a suspect that runs alone. */
const ALONE_MS = 60_000;

/**
 * The suspects of all pipelines of a host: items that ran when a process ended without a shutdown, and have not been through a run since. They wait
 * beside the queues of their stages and run apart from each other, so that the next crash tells more than the last one did:
 *
 *     queue ──deliveries > 0──▶ aside ──its turn──▶ on trial ──any outcome──▶ acquitted: `deliveries` is 0 again
 *                                 ▲                    ├──taken back──▶ aside
 *                                 └────────────────────┴──crash──▶ counted, by recovery.ts
 *
 * Up to sixteen suspects with the same number of crashes run one at a time, more of them in sixteenths: a crash leaves one sixteenth of them. Who has been in
 * the fewest crashes is tried first, so that kills from outside spread over many items, and the poisonous one comes last. A suspect that the next crash would condemn runs
 * with nothing else beside it, as the first after a start, when nothing runs yet. The next one begins when the outcome of the last one is stored: else a crash
 * would find both.
 */
export class Quarantine {
  private readonly deps: QuarantineDeps;
  private readonly aside = new Map<Item, Filler>();
  /** The ones that run, with the number of their crashes. */
  private readonly onTrial = new Map<Item, number>();
  /** How many there were at the start, by the number of their crashes. */
  private readonly found = new Map<number, number>();
  private isSettling = false;
  private isAlone = false;
  private timer: unknown;
  private fillAll = (): void => undefined;

  constructor(deps: QuarantineDeps) {
    this.deps = deps;
  }

  /** The suspects that wait. */
  get size(): number {
    return this.aside.size;
  }

  /** True while nobody but a suspect may begin. */
  get isExclusive(): boolean {
    return this.isAlone;
  }

  /** Call it before any pipeline goes on, and {@link Quarantine.opened} after the last one did. `fillAll`: gives work to all workers of the host. */
  begin(fillAll: () => void): void {
    this.fillAll = fillAll;
    for (const { stored } of this.aside.keys()) this.found.set(stored.deliveries, (this.found.get(stored.deliveries) ?? 0) + 1);
    this.isAlone = [...this.aside.keys()].some((item) => this.isLast(item));
  }

  opened(): void {
    this.goOn();
  }

  add(item: Item, filler: Filler): void {
    item.stage.aside.add(item);
    this.aside.set(item, filler);
  }

  /** Takes an item out that goes elsewhere; false when it is not here. */
  remove(item: Item): boolean {
    item.stage.aside.delete(item);
    return this.aside.delete(item);
  }

  /** Forgets the suspects of a pipeline that is gone. */
  forget(filler: Filler): void {
    for (const [item, other] of this.aside) if (other === filler) this.remove(item);
  }

  /** The suspect that a worker of the stage is to have now. */
  take(stage: Stage): Item | undefined {
    if (stage.aside.size === 0 || this.isSettling) return undefined;
    let first: Item | undefined;
    for (const item of stage.aside) {
      if (this.isAlone && !this.isLast(item)) continue;
      if (first === undefined || item.stored.deliveries < first.stored.deliveries) first = item;
    }
    if (first === undefined || !this.hasRoomFor(first)) return undefined;
    this.remove(first);
    this.onTrial.set(first, first.stored.deliveries);
    if (this.isAlone) this.setTimer();
    return first;
  }

  /** Whether the worker that asks, and no other of the stage is idle, waits for the next suspect, which may begin in a moment. */
  keepsWorker(stage: Stage): boolean {
    return this.isSettling && stage.aside.size > 0 && stage.idle.length === 0;
  }

  /** A suspect leaves its worker; {@link Quarantine.left} follows. */
  leaves(item: Item): void {
    if (this.onTrial.delete(item)) this.isSettling = true;
  }

  /** Called once the outcome of a suspect is on its way to the store. */
  left(): void {
    if (this.isSettling) void this.settle();
  }

  stop(): void {
    this.deps.clock.clearTimer(this.timer);
  }

  private async settle(): Promise<void> {
    await this.deps.settled();
    this.isSettling = false;
    this.goOn();
  }

  private goOn(): void {
    const waiting = [...this.aside].sort(([a], [b]) => a.stored.deliveries - b.stored.deliveries);
    if (this.isAlone && this.onTrial.size === 0 && !waiting.some(([{ stage }, _]) => stage.isOpen && this.hasLast(stage))) this.endAlone();
    const stages = new Map(waiting.map(([{ stage }, filler]) => [stage, filler]));
    for (const [stage, filler] of stages) if (stage.isOpen) filler.fillNow(stage);
  }

  private hasLast(stage: Stage): boolean {
    for (const item of stage.aside) if (this.isLast(item)) return true;
    return false;
  }

  private endAlone(): void {
    this.deps.clock.clearTimer(this.timer);
    this.isAlone = false;
    this.fillAll();
  }

  private setTimer(): void {
    const { clock } = this.deps;
    clock.clearTimer(this.timer);
    this.timer = clock.setTimer(() => this.endAlone(), ALONE_MS);
  }

  /** Whether the next crash would condemn it, if it ran alone. */
  private isLast({ stored }: Item): boolean {
    return stored.deliveries + 1 >= this.deps.maxDeliveries && this.groupOf(stored.deliveries) === 1;
  }

  /** How many suspects that were in so many crashes may run at once. */
  private groupOf(deliveries: number): number {
    return Math.max(1, Math.ceil((this.found.get(deliveries) ?? 1) / GROUPS));
  }

  private hasRoomFor({ stored: { deliveries } }: Item): boolean {
    for (const other of this.onTrial.values()) if (other !== deliveries) return false;
    return this.onTrial.size < this.groupOf(deliveries);
  }
}

/** The item that a worker of a stage is to have: a suspect whose turn it is, or the next one of the queue that is none, as long as no suspect must run with nothing beside it. */
export function takeApart(quarantine: Quarantine, stage: Stage, filler: Filler, next: () => Item | undefined): Item | undefined {
  const suspect = quarantine.take(stage);
  if (suspect !== undefined || quarantine.isExclusive || quarantine.keepsWorker(stage)) return suspect;
  for (let item = next(); item !== undefined; item = next()) {
    if (item.stored.deliveries === 0) return item;
    quarantine.add(item, filler);
  }
  // One of those may run at once.
  return quarantine.take(stage);
}
