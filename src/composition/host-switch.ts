import {
  type EventSource,
  type HostMeasurements,
  type LimiterCatalogue,
  type LoadedPipeline,
  type LocalHost,
  type Operator,
  type PipelineHost,
  type PutOptions,
  SluiceError,
  type StoreHealth,
  type TaskCatalogue,
  type ValidateOptions,
} from '../engine/index.ts';
import type { Blame } from '../engine/store.ts';
import type { ShutdownMode, ShutdownReport } from '../schemas/control.ts';

export interface HostSwitchOptions {
  tasks: TaskCatalogue;
  /** The name of the store in `/readyz` and metrics, while the pipelines are elsewhere. */
  kind: string;
  /** Why the node can neither follow nor own. */
  trouble: () => string | null;
  /** Ends the node's part in the cluster. */
  leave: () => Promise<void>;
  /** Told when the node ends and the log does not have the last changes; with the ids of the first 100 items that these are of. */
  leftBehind: (itemIds: string[]) => void;
}

const ALL_IS_KEPT = { notKept: 0, notKeptIds: [] };

/**
 * Stands for the pipelines of a node, which come with an ownership and go with it. While there are none, questions about the process are answered for
 * itself, and all others with `no-owner`.
 *
 *     none ──enter──▶ a host ──leave──▶ none ──enter──▶ another host …
 */
export class HostSwitch implements PipelineHost {
  /** The epoch of the host that is here; null while there is none. */
  term: number | null = null;
  /** A thread of a host that is gone could not be ended: it would keep the process from ending. */
  hasThreadsLeft = false;
  /** Another node takes over as soon as this one has left. */
  readonly isAwaited = true;
  private current: LocalHost | null = null;
  private isEnding = false;
  private readonly options: HostSwitchOptions;
  private readonly listeners = new Set<() => void>();

  constructor(options: HostSwitchOptions) {
    this.options = options;
  }

  enter(host: LocalHost, term: number): void {
    if (this.isEnding) host.shuttingDown = true;
    this.current = host;
    this.term = term;
    this.tell();
  }

  /** Idempotent; a host that is here no longer is left alone. */
  leave(host: LocalHost): void {
    if (this.current !== host) return;
    this.current = null;
    this.term = null;
    this.tell();
  }

  watch(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => void this.listeners.delete(changed);
  }

  get shuttingDown(): boolean {
    return this.isEnding || this.current?.shuttingDown === true;
  }
  set shuttingDown(isEnding: boolean) {
    this.isEnding = isEnding;
    if (this.current !== null) this.current.shuttingDown = isEnding;
  }

  get tasks(): TaskCatalogue {
    return this.options.tasks;
  }

  get storeHealth(): StoreHealth {
    const { kind, trouble } = this.options;
    return this.current?.storeHealth ?? { kind, trouble: trouble(), recovered: null, unusable: [] };
  }

  async measure(): Promise<HostMeasurements> {
    const { kind, trouble } = this.options;
    if (this.current !== null) return this.current.measure();
    return { pipelines: [], limiters: [], store: { kind, isUp: trouble() === null, flushes: null, failedFlushes: 0, usage: null } };
  }

  async shutdown(mode: ShutdownMode, timeoutSeconds: number, operator?: Operator): Promise<ShutdownReport> {
    this.isEnding = true;
    const { current } = this;
    if (current === null) return { mode, finished: 0, leftQueued: 0, aborted: 0, ...ALL_IS_KEPT, timedOut: false };
    const report = await current.shutdown(mode, timeoutSeconds, operator);
    this.hasThreadsLeft ||= current.hasThreadsLeft;
    return { ...report, ...ALL_IS_KEPT };
  }

  /** Always nothing: whoever was answered is answered by the log, and the next owner has it. What the log lacks was never answered. */
  notStored(): ReturnType<LocalHost['notStored']> {
    return { count: 0, ids: [] };
  }

  blame(blame: Blame): void {
    this.current?.blame(blame);
  }

  /** Leaves the cluster as soon as the log has what has changed until now; it has two seconds for that, so that fewer tasks run again. Call it after {@link HostSwitch.shutdown}. */
  async close(): Promise<void> {
    const { current } = this;
    if (current !== null) {
      await current.settle();
      const { count, ids } = current.notStored();
      if (count > 0) this.options.leftBehind(ids);
      void current.abandon();
    }
    await this.options.leave();
  }

  get limiters(): LocalHost['limiters'] & LimiterCatalogue {
    return this.here.limiters;
  }
  get events(): EventSource {
    return this.here.events;
  }
  load(raw: unknown, options?: { operator?: Operator; isStart?: boolean }): Promise<LoadedPipeline> {
    return this.here.load(raw, options);
  }
  async keepFiles(files: string): Promise<void> {
    await this.here.keepFiles(files);
  }
  async snapshots() {
    return this.here.snapshots();
  }
  /** Without a host there are none to be counted. */
  async list() {
    return this.current?.list() ?? [];
  }
  async create(definition: unknown, options?: PutOptions) {
    return this.here.create(definition, options);
  }
  async put(id: string, definition: unknown, options?: PutOptions) {
    return this.here.put(id, definition, options);
  }
  async validate(definition: unknown, options?: ValidateOptions) {
    return this.here.validate(definition, options);
  }
  get(id: string) {
    return this.here.get(id);
  }
  async remove(id: string, mode?: 'drain' | 'force', options?: Pick<PutOptions, 'within' | 'operator'>) {
    return this.here.remove(id, mode, options);
  }

  private get here(): LocalHost {
    if (this.current === null) throw new SluiceError('no-owner', 'this node owns the pipelines no longer');
    return this.current;
  }

  private tell(): void {
    for (const changed of this.listeners) changed();
  }
}
