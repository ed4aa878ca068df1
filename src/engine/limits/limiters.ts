import { isDeepStrictEqual } from 'node:util';
import type { LimiterPatch, LimiterSettings, LimiterView, LimiterWaiter, Limits } from '../../schemas/limiter.ts';
import type { Fault } from '../../schemas/problem.ts';
import { SluiceError, shuttingDown } from '../contract/errors.ts';
import type { LimiterCatalogue } from '../contract/host.ts';
import type { LimiterMeasurements } from '../contract/measurements.ts';
import type { Operator } from '../contract/operator.ts';
import type { Ports } from '../ports.ts';
import { DueQueue } from '../time/due-queue.ts';
import { EngineClock } from '../time/engine-clock.ts';
import type { LimiterKeeper } from './kept.ts';
import { type Defined, type LimitsOf, type PlannedLimits, planLimits } from './limits-plan.ts';
import { expressionFaults, SharedLimiter } from './shared-limiter.ts';
import type { StoredLimiters } from './stored-limiters.ts';

/** The part of a host that its limiters need. */
export interface LimiterHost {
  /** The stages whose workers wait for a limiter, by its name. */
  waiters: () => ReadonlyMap<string, LimiterWaiter[]>;
  /** Carries out a change, and resolves when it is stored. */
  promised: <T>(carryOut: () => T) => Promise<T>;
  /** Told when an operator has changed a limiter. */
  onChanged: (name: string, operator: Operator, trace: Record<'before' | 'after', object>) => void;
}

const ALONE: LimiterHost = { waiters: () => new Map(), promised: async (carryOut) => carryOut(), onChanged: () => undefined };

/**
 * The limiters of a host, by name. Each is defined by the files, by pipelines, or by both, and all of them define it alike; it goes with the last
 * definition that has it. See limits-plan.ts for what a definition may change.
 */
export class Limiters implements LimiterCatalogue {
  private readonly byName = new Map<string, Defined>();
  /** Limiters that nothing defines any more but that still count: one that is defined again goes on with them. */
  private readonly gone = new Map<string, SharedLimiter>();
  private readonly ports: Ports;
  private readonly time: EngineClock;
  private readonly dues: DueQueue;
  private readonly host: LimiterHost;
  private readonly maxKeys: number | undefined;
  private keeper: LimiterKeeper | undefined;
  private stored: StoredLimiters | null = null;
  private isClosed = false;
  private abandoned: SluiceError | null = null;

  /** `maxKeys`: how many keys of a limiter are told apart at once. */
  constructor(ports: Ports, host: LimiterHost = ALONE, maxKeys?: number) {
    this.ports = ports;
    this.host = host;
    this.maxKeys = maxKeys;
    this.time = new EngineClock(ports.clock);
    this.dues = new DueQueue(ports.clock);
  }

  /** Has a store keep windows, holds and changes from now on. To be called before anything runs. */
  keepWith(keeper: LimiterKeeper): void {
    this.keeper = keeper;
    for (const { limiter } of this.byName.values()) limiter.keepWith(keeper);
  }

  /** Defines one of a file. Throws `invalid-pipeline` when the name is taken, `invalid-params` when one of its expressions is none. */
  define(name: string, settings: LimiterSettings): void {
    if (this.byName.has(name)) throw new SluiceError('invalid-pipeline', `two limiters have the name "${name}"`);
    this.byName.set(name, { limiter: this.make(name, settings), isInFile: true, definers: new Set() });
  }

  /**
   * Gives a limiter another definition in a file; pipelines that define it otherwise go on by the file's. What was changed by hand is over. Throws `limiter-not-found`,
   * and `invalid-params` when one of its expressions is none.
   */
  redefine(name: string, settings: LimiterSettings, operator?: Operator): Promise<LimiterView> {
    return this.changed(
      name,
      (limiter) => {
        limiter.redefine(settings);
        this.byName.set(name, { ...(this.byName.get(name) as Defined), isInFile: true });
      },
      operator,
    );
  }

  /** Takes up the limiters of a stored definition. The files go before it; what cannot be used today is a fault of its pipeline. */
  defineStored(id: string, limits: Limits): void {
    for (const [name, settings] of Object.entries(limits)) {
      const known = this.byName.get(name);
      if (known !== undefined) {
        known.definers.add(id);
        if (isDeepStrictEqual(known.limiter.defined, settings)) continue;
        const by = known.isInFile ? 'a definitions file' : 'another pipeline';
        this.ports.logger.warn({ limiter: name, pipeline: id }, `the limiter is defined otherwise by ${by}, whose definition is in effect`);
      } else if (this.faultsOf(settings).length === 0) {
        this.byName.set(name, { limiter: this.make(name, settings), isInFile: false, definers: new Set([id]) });
      }
    }
  }

  /** Takes up what a store has kept; those that are defined later take up theirs then. */
  restore(stored: StoredLimiters): void {
    this.stored = stored;
    for (const { limiter } of this.byName.values()) stored.restore(limiter);
  }

  find(name: string): SharedLimiter | undefined {
    return this.byName.get(name)?.limiter;
  }

  /** Whether anything but this pipeline's own definition defines a limiter. */
  isDefinedBeside(name: string, id: unknown): boolean {
    const known = this.byName.get(name);
    return known !== undefined && (known.isInFile || [...known.definers].some((definer) => definer !== id));
  }

  faultsOf(settings: { key?: unknown; weight?: unknown }): Fault[] {
    return expressionFaults(settings, this.ports.expressions);
  }

  /** Finds out what a definition does to limiters. Throws what {@link planLimits} throws; nothing has changed then. */
  plan(of: LimitsOf): PlannedLimits {
    return planLimits(of, {
      byName: this.byName,
      make: (name, settings) => this.make(name, settings),
      leave: (name, limiter) => this.leave(name, limiter),
    });
  }

  async list(): Promise<LimiterView[]> {
    if (this.abandoned !== null) throw this.abandoned;
    const waiters = this.host.waiters();
    return [...this.byName.values()]
      .map(({ limiter }) => limiter)
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map((limiter) => this.viewOf(limiter, waiters));
  }

  /** How much each of them is used now, without a look at its keys. */
  measure(): LimiterMeasurements[] {
    return [...this.byName.values()].map(({ limiter }) => limiter.measure());
  }

  /** Refuses all changes from now on: the process ends. */
  close(): void {
    this.isClosed = true;
  }

  /** Lets nobody pass any more, and answers with this error: others count now. */
  abandon(error: SluiceError): void {
    this.abandoned = error;
    this.dues.clear();
  }

  change(name: string, patch: LimiterPatch, operator?: Operator): Promise<LimiterView> {
    return this.changed(name, (limiter) => limiter.change(patch), operator);
  }

  reset(name: string, operator?: Operator): Promise<LimiterView> {
    return this.changed(name, (limiter) => limiter.reset(), operator);
  }

  private changed(name: string, change: (limiter: SharedLimiter) => void, operator?: Operator): Promise<LimiterView> {
    return this.host.promised(() => {
      if (this.isClosed) throw shuttingDown();
      const limiter = this.find(name);
      if (limiter === undefined) throw new SluiceError('limiter-not-found', `no limiter "${name}"`);
      const before = traceOf(this.viewOf(limiter, new Map()));
      change(limiter);
      const changed = this.viewOf(limiter, this.host.waiters());
      if (operator !== undefined) {
        const trace = { before, after: traceOf(changed) };
        this.host.onChanged(name, operator, trace);
        operator.note?.({ change: 'limiter-changed', pipelineId: null, stage: null, ...trace });
      }
      return changed;
    });
  }

  private make(name: string, settings: LimiterSettings): SharedLimiter {
    this.forgetIdle();
    const before = this.gone.get(name);
    if (before !== undefined) {
      before.redefine(settings);
      this.gone.delete(name);
      return before;
    }
    const { keeper, dues, maxKeys } = this;
    const { clock, random, logger, expressions } = this.ports;
    const limiter = new SharedLimiter(name, settings, { clock, random, logger, expressions, dues, maxKeys, ...(keeper && { keeper }) });
    this.stored?.restore(limiter);
    return limiter;
  }

  /** Nothing defines it any more. */
  private leave(name: string, limiter: SharedLimiter): void {
    limiter.reset();
    this.gone.set(name, limiter);
    this.forgetIdle();
  }

  private forgetIdle(): void {
    for (const [name, limiter] of this.gone) {
      if (!limiter.isIdle) continue;
      this.gone.delete(name);
      limiter.forget();
    }
  }

  private viewOf(limiter: SharedLimiter, waiters: ReadonlyMap<string, LimiterWaiter[]>): LimiterView {
    this.time.sync();
    return { ...limiter.view((at) => this.time.instant(at)), waiters: waiters.get(limiter.name) ?? [] };
  }
}

/** The settings of a limiter that can be changed; its expressions cannot. */
function traceOf({ name, heldUntil, settings: { key: _key, weight: _weight, ...settings } }: LimiterView): object {
  return { limiter: name, ...settings, heldUntil };
}
