import type { LimiterPatch, LimiterSettings, LimiterView } from '../../schemas/limiter.ts';
import { SluiceError, shuttingDown } from '../contract/errors.ts';
import type { LimiterCatalogue } from '../contract/runtime.ts';
import type { Ports } from '../ports.ts';
import { DueQueue } from '../time/due-queue.ts';
import { EngineClock } from '../time/engine-clock.ts';
import { SharedLimiter } from './shared-limiter.ts';

/** The limiters of a host, by name. They are defined before the pipelines that use them and live as long as the host. */
export class Limiters implements LimiterCatalogue {
  private readonly byName = new Map<string, SharedLimiter>();
  private readonly ports: Ports;
  private readonly time: EngineClock;
  private readonly dues: DueQueue;
  private readonly maxKeys: number | undefined;
  private isClosed = false;

  constructor(ports: Ports, maxKeys?: number) {
    this.ports = ports;
    this.maxKeys = maxKeys;
    this.time = new EngineClock(ports.clock);
    this.dues = new DueQueue(ports.clock);
  }

  /** Throws `invalid-pipeline` when the name is taken, `invalid-params` when one of its expressions is none. */
  define(name: string, settings: LimiterSettings): void {
    if (this.byName.has(name)) throw new SluiceError('invalid-pipeline', `two limiters have the name "${name}"`);
    const { clock, random, logger, expressions } = this.ports;
    this.byName.set(
      name,
      new SharedLimiter(name, settings, { clock, random, logger, expressions, dues: this.dues, maxKeys: this.maxKeys }),
    );
  }

  find(name: string): SharedLimiter | undefined {
    return this.byName.get(name);
  }

  async list(): Promise<LimiterView[]> {
    return [...this.byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map((limiter) => this.viewOf(limiter));
  }

  /** Refuses all changes from now on: the process ends. */
  close(): void {
    this.isClosed = true;
  }

  async change(name: string, patch: LimiterPatch): Promise<LimiterView> {
    if (this.isClosed) throw shuttingDown();
    const limiter = this.byName.get(name);
    if (limiter === undefined) throw new SluiceError('limiter-not-found', `no limiter "${name}"`);
    limiter.change(patch);
    return this.viewOf(limiter);
  }

  private viewOf(limiter: SharedLimiter): LimiterView {
    this.time.sync();
    return limiter.view((at) => this.time.instant(at));
  }
}
