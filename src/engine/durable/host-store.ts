import { SluiceError } from '../contract/errors.ts';
import type { HostEvents } from '../events/host-events.ts';
import { Careful } from '../flow/careful.ts';
import { Quarantine } from '../flow/quarantine.ts';
import type { Marks } from '../flow/ready-workers.ts';
import { KEPT } from '../limits/shared-limiter.ts';
import { StoredLimiters } from '../limits/stored-limiters.ts';
import type { Clock, Logger, Ports } from '../ports.ts';
import { FILES, ORDER, type Shelf, type Store, type StoredPipeline } from '../store.ts';
import { wallScaleOf } from '../time/wall-scale.ts';
import { clockShift } from './clock-shift.ts';
import { type Crash, crashOf } from './crash.ts';
import type { Durable, StoredDefinition, StoreLink } from './durable.ts';
import { EventOrder, type FoundEvents } from './event-order.ts';
import type { StoredCounters } from './figures.ts';
import { Flusher } from './flusher.ts';
import { guardedShelf } from './guarded-shelf.ts';
import { HistoryJournal, historyFacts } from './history-journal.ts';
import { LimiterJournal } from './limiter-journal.ts';
import { PipelineMarks, Slots } from './slots.ts';

const ROUNDING_MS = 1;

type Bounds = Pick<StoreLink, 'maxDeliveries' | 'queueWindow'>;
type LastWrite = Pick<StoreLink, 'lastAt' | 'drift'>;

/** The parts of a host that its store sets right at a start. */
export interface StoredHost {
  events: HostEvents;
  /** See {@link HostClock.startAfter}. */
  startAfter: (instant: number) => boolean;
}

function anchorOf(clock: Clock): number {
  const scale = wallScaleOf(clock);
  scale.sync();
  return scale.offset;
}

/** The store of a host: its pipelines, and the one flusher through which all of them write. */
export class HostStore {
  readonly store: Store;
  readonly flusher: Flusher;
  readonly quarantine: Quarantine;
  readonly careful: Careful;
  readonly history: HistoryJournal;
  private readonly order: EventOrder;
  private ownFiles: string | null = null;
  private readonly bounds: Bounds;
  private lastPipeline = 0;
  private readonly slots = new Slots();
  private anchor: number;
  /** True when the clock was set ahead to the last write. */
  private isAhead = false;
  private readonly startAfter: StoredHost['startAfter'];
  private lastCrash: Crash | null = null;
  readonly limiters: LimiterJournal;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private last: LastWrite = { lastAt: null, drift: 0 };

  constructor(store: Store, ports: Ports, bounds: Bounds, { events, startAfter }: StoredHost) {
    this.store = store;
    this.bounds = bounds;
    this.flusher = new Flusher(store, ports);
    const { maxDeliveries } = bounds;
    const settled = (): Promise<boolean> | undefined => this.flusher.settledAtLast()?.isStored;
    this.quarantine = new Quarantine({ clock: ports.clock, maxDeliveries, settled });
    this.careful = new Careful({ clock: ports.clock, settled });
    this.clock = ports.clock;
    this.logger = ports.logger;
    this.startAfter = startAfter;
    this.anchor = anchorOf(ports.clock);
    this.history = new HistoryJournal(this.flusher);
    this.order = new EventOrder(this.flusher, events, store.mayLackEvents === true);
    this.limiters = new LimiterJournal(this.flusher, ports.clock, () => this.anchor);
  }

  /** The pipelines in the store, in the order of their creation, and the common order of their events with them. Throws `store-unavailable`, and can be asked again then. */
  pipelines(): ({ link: StoreLink } & StoredDefinition)[] {
    const found = this.read(() => this.store.pipelines());
    const order = this.factsOf(ORDER);
    const limitersAt = this.limitersAt().lastAt ?? 0;
    // All is read: what comes now is done once.
    this.order.restore(order, found.map(eventsOf));
    const last = lastWrite(found);
    this.last = last;
    this.isAhead = this.startAfter(Math.max(last.lastAt ?? 0, limitersAt));
    if (this.isAhead) wallScaleOf(this.clock).begin();
    this.anchor = anchorOf(this.clock);
    return found.map(({ pipeline, facts }) => {
      const link = { ...this.linkOf(pipeline, facts), ...last };
      return { link, ...(JSON.parse(facts.definition as string) as StoredDefinition) };
    });
  }

  /** The kept state of all limiters; to be asked for after {@link HostStore.pipelines}. Throws `store-unavailable`, and can be asked again then. */
  storedLimiters(): StoredLimiters {
    const { [KEPT]: _, ...facts } = this.factsOf(KEPT);
    const own = this.limitersAt();
    const { lastAt, drift } = (own.lastAt ?? 0) > (this.last.lastAt ?? 0) ? own : this.last;
    // No start in a window counts as older for the rounding of the difference.
    const shift = clockShift(this.clock.now(), lastAt) + drift + (this.isAhead ? ROUNDING_MS : 0);
    return new StoredLimiters(facts, {
      monotonic: (lasting) => lasting + shift - this.anchor,
      now: this.clock.monotonic(),
      logger: this.logger,
      keeper: this.limiters,
    });
  }

  /** The last write of limiters, which may be newer than that of any pipeline. */
  private limitersAt(): LastWrite {
    const { [KEPT]: written = '{}' } = this.factsOf(KEPT);
    return { lastAt: null, drift: 0, ...JSON.parse(written) };
  }

  /** The facts of the store itself whose names begin so. Throws `store-unavailable`. */
  factsOf(prefix: string): Record<string, string> {
    return this.read(() => this.store.facts(prefix));
  }

  /** See {@link FILES}; null: none were. Throws `store-unavailable`. */
  get files(): string | null {
    return this.ownFiles ?? this.factsOf(FILES)[FILES] ?? null;
  }

  keepFiles(json: string): void {
    this.ownFiles = json;
    this.history.touch(FILES, () => json);
  }

  /** Links a new pipeline, which is in the store with the next flush. */
  create(id: string): StoreLink {
    const pipeline = this.read(() => this.store.nextPipeline(this.lastPipeline));
    this.lastPipeline = pipeline;
    this.flusher.create({ pipeline, id });
    return this.linkOf(pipeline, null);
  }

  /** Deletes a pipeline from the store; calls `gone` when that is done. */
  drop({ core, journal, link, unwatch }: Durable, gone: () => void): void {
    unwatch();
    this.quarantine.forget(core.scheduler);
    core.events.hold();
    this.order.leaves(link.pipeline, core.events);
    this.flusher.drop(journal, link.pipeline);
    this.forgetHistory(link.pipeline);
    void this.flusher.settledAtLast()?.isStored.then((isStored) => {
      if (!isStored) return;
      core.options.marks?.end();
      gone();
    });
  }

  /** The end of the process before. To be asked for before anything is written. Throws `store-unavailable`. */
  crash(): Crash {
    const { store, flusher } = this;
    const shelf = (of: number): Shelf => guardedShelf(store.shelf(of), flusher);
    this.lastCrash ??= crashOf(store, { pipelines: () => this.read(() => store.pipelines()), shelf });
    return this.lastCrash;
  }

  marksOf(pipeline: number): Marks {
    return new PipelineMarks(pipeline, this.store.marks, this.slots);
  }

  /** The store is closed, and cannot be read any more. */
  get isClosed(): boolean {
    return this.flusher.isClosed;
  }

  /** Lets go of the store, which somebody else uses now, without another write. Resolves when none is under way. */
  abandon(reason: string): Promise<void> {
    this.quarantine.stop();
    return this.flusher.abandon(reason);
  }

  /** Writes what is left, if the store is writable, and closes it. */
  async close(): Promise<void> {
    this.quarantine.stop();
    await this.flusher.settled();
    this.flusher.close();
    await this.store.close();
  }

  /** Removes the past of a pipeline. After a crash, or while the store cannot be read, it stays: it takes room and is found by nobody, since no other pipeline gets its number. */
  private forgetHistory(pipeline: number): void {
    try {
      for (const fact of Object.keys(this.factsOf(historyFacts(pipeline)))) this.history.touch(fact, () => null);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
    }
  }

  private read<T>(ask: () => T): T {
    try {
      return ask();
    } catch (error) {
      throw this.flusher.readFailed(error, ask);
    }
  }

  private linkOf(pipeline: number, facts: StoreLink['facts']): StoreLink {
    const { store, flusher, bounds } = this;
    return { store, flusher, pipeline, facts, lastAt: null, drift: 0, anchor: this.anchor, crash: () => this.crash(), ...bounds };
  }
}

function eventsOf({ pipeline, facts }: StoredPipeline): FoundEvents {
  const { lastEvent = 0, areOrdered = false } = JSON.parse(facts.counters ?? '{}') as Partial<StoredCounters>;
  return { pipeline, lastEvent, areOrdered };
}

/** The instant of the last write of any pipeline, since one that idles writes nothing, and how far the clock was set by then. */
function lastWrite(found: readonly StoredPipeline[]): LastWrite {
  let [lastAt, drift] = [0, 0];
  for (const { facts } of found) {
    const counters = JSON.parse(facts.counters ?? '{}') as Partial<StoredCounters>;
    if ((counters.at ?? 0) > lastAt) [lastAt, drift] = [counters.at ?? 0, counters.drift ?? 0];
  }
  return { lastAt: lastAt || null, drift };
}
