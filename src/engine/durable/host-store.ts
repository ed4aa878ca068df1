import { Quarantine } from '../flow/quarantine.ts';
import type { Marks } from '../flow/ready-workers.ts';
import type { Ports } from '../ports.ts';
import type { Store, StoredPipeline } from '../store.ts';
import { type Crash, crashOf } from './crash.ts';
import type { Durable, StoredDefinition, StoreLink } from './durable.ts';
import type { StoredCounters } from './figures.ts';
import { Flusher } from './flusher.ts';
import { guardedShelf } from './guarded-shelf.ts';
import { PipelineMarks, Slots } from './slots.ts';

type Bounds = Pick<StoreLink, 'maxDeliveries' | 'queueWindow'>;

/** The store of a host: its pipelines, and the one flusher through which all of them write. */
export class HostStore {
  readonly store: Store;
  readonly flusher: Flusher;
  readonly quarantine: Quarantine;
  private readonly bounds: Bounds;
  private lastPipeline = 0;
  private readonly slots = new Slots();
  private readonly anchor: number;
  private lastCrash: Crash | null = null;

  constructor(store: Store, ports: Ports, bounds: Bounds) {
    this.store = store;
    this.bounds = bounds;
    this.flusher = new Flusher(store, ports);
    const { maxDeliveries } = bounds;
    this.quarantine = new Quarantine({ clock: ports.clock, maxDeliveries, settled: () => this.flusher.settledAtLast()?.isStored });
    this.anchor = ports.clock.now() - ports.clock.monotonic();
  }

  /** The pipelines in the store, in the order of their creation. */
  pipelines(): ({ link: StoreLink } & StoredDefinition)[] {
    const found = this.store.pipelines();
    const last = lastWrite(found);
    return found.map(({ pipeline, facts }) => {
      this.lastPipeline = Math.max(this.lastPipeline, pipeline);
      const link = { ...this.linkOf(pipeline, facts), ...last };
      return { link, ...(JSON.parse(facts.definition as string) as StoredDefinition) };
    });
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
    this.flusher.drop(journal, link.pipeline);
    void this.flusher.settledAtLast()?.isStored.then((isStored) => {
      if (!isStored) return;
      core.options.marks?.end();
      gone();
    });
  }

  marksOf(pipeline: number): Marks {
    return new PipelineMarks(pipeline, this.store.marks, this.slots);
  }

  /** Writes what is left, if the store is writable, and closes it. */
  async close(): Promise<void> {
    this.quarantine.stop();
    await this.flusher.settled();
    this.flusher.close();
    await this.store.close();
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
    const crash = (): Crash => {
      this.lastCrash ??= crashOf(store, (of) => guardedShelf(store.shelf(of), flusher));
      return this.lastCrash;
    };
    return { store, flusher, pipeline, facts, lastAt: null, drift: 0, anchor: this.anchor, crash, ...bounds };
  }
}

/** The instant of the last write of any pipeline, since one that idles writes nothing, and how far the clock was set by then. */
function lastWrite(found: readonly StoredPipeline[]): { lastAt: number | null; drift: number } {
  let [lastAt, drift] = [0, 0];
  for (const { facts } of found) {
    const counters = JSON.parse(facts.counters ?? '{}') as Partial<StoredCounters>;
    if ((counters.at ?? 0) > lastAt) [lastAt, drift] = [counters.at ?? 0, counters.drift ?? 0];
  }
  return { lastAt: lastAt || null, drift };
}
