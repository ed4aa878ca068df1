import type { ShutdownMode, ShutdownReport } from '../../schemas/control.ts';
import type { PipelineDefinition } from '../../schemas/definition.ts';
import type { LimiterPatch, LimiterView } from '../../schemas/limiter.ts';
import type { MovedItems, StageChange } from '../../schemas/redefinition.ts';
import type { DashboardSnapshot } from '../../schemas/stats.ts';
import type { TaskInfo } from '../../schemas/task.ts';
import type { EventSource } from './event-source.ts';
import type { HostMeasurements } from './measurements.ts';
import type { Operator } from './operator.ts';
import type { PipelineDescription, PipelineRuntime } from './runtime.ts';

export type * from './measurements.ts';

/** The pipelines of a service, by id, whatever runs them. */
export interface PipelineHost {
  /** The built-in and user tasks, predicates and hooks that definitions can use. */
  readonly tasks: TaskCatalogue;
  /** Limits that tasks of any pipeline share. */
  readonly limiters: LimiterCatalogue;
  /** The events of all pipelines in one sequence, `pipelineId` first in each datum. */
  readonly events: EventSource;
  /** The dashboard snapshot of each pipeline. */
  snapshots(): Promise<({ pipelineId: string } & DashboardSnapshot)[]>;
  /** The measurements up to now, stored or not, also while the store has trouble. */
  measure(): Promise<HostMeasurements>;
  /** Where everything is kept, and whether that can be written now. */
  readonly storeHealth: StoreHealth;
  /** True from the first call of {@link PipelineHost.shutdown}. */
  readonly shuttingDown: boolean;
  list(): Promise<PipelineDescription[]>;
  /**
   * Checks a definition as it came and builds it, with the limiters that it defines; started unless `start` is false.
   * Throws `invalid-input`, `unknown-task`, `unknown-limiter`, `invalid-pipeline`, `invalid-params`, each with every fault, `pipeline-exists`, and
   * `limiter-conflict` or `forbidden` when it would change limiters that it may not change.
   */
  create(definition: unknown, options?: PutOptions): Promise<PipelineDescription>;
  /**
   * Creates the pipeline, or gives it another definition, while it runs and with items in every stage: none is lost, and none goes
   * through a stage twice. The same definition again changes nothing. `start` is for one that is created. Throws what `create` throws
   * but `pipeline-exists`, `limiter-in-use` when a limiter would go that others use, and `invalid-state` during its shutdown.
   */
  put(id: string, definition: unknown, options?: PutOptions): Promise<PutOutcome>;
  /**
   * Checks a definition as {@link PipelineHost.put} would, and says what that would do; nothing is created or changed. It throws what `put` throws. `against`: the
   * id of a pipeline that is there, which the definition would be put to; throws `pipeline-not-found`.
   */
  validate(definition: unknown, options?: ValidateOptions): Promise<Validated>;
  /** Throws `pipeline-not-found`. */
  get(id: string): PipelineRuntime;
  /**
   * Without a mode: refused with `items-in-flight` while there are any. `drain` finishes them first, `force` aborts and drops them. Throws `limiter-in-use` when
   * others use a limiter that only its definition defines.
   */
  remove(id: string, mode?: 'drain' | 'force', options?: Pick<PutOptions, 'within' | 'operator'>): Promise<void>;
  /** Ends every pipeline. Idempotent; a later, harder mode overtakes a softer one that still runs. */
  shutdown(mode: ShutdownMode, timeoutSeconds: number, operator?: Operator): Promise<ShutdownReport>;
}

export interface PutOptions {
  /** `false` leaves a pipeline that is created in the state `created`. */
  start?: boolean;
  /** The pipelines that the caller may change and see; null or absent: all. A limiter that others use is not changed. */
  within?: ReadonlySet<string> | null;
  operator?: Operator | undefined;
}

export interface ValidateOptions extends Pick<PutOptions, 'within'> {
  against?: string | undefined;
}

/** The outcome of a definition that could be put. */
export interface Validated {
  /** With all defaults filled in. */
  definition: PipelineDefinition;
  /** As in {@link PutOutcome}, as far as can be told now; absent without `against`. */
  changes?: StageChange[];
  changedFields?: string[];
  moved?: MovedItems[];
}

/** The outcome of a PUT. */
export interface PutOutcome {
  isCreated: boolean;
  pipeline: PipelineDescription;
  /** Empty when no stage is different. */
  changes: StageChange[];
  /** The fields of the pipeline itself that are different, such as `retention`. */
  changedFields: string[];
  /** For each removed stage, where its items went. */
  moved: MovedItems[];
}

/** Items that a start found in its store: waiting, running or between two attempts in the previous process. */
export interface StoreRecovery {
  pipelines: number;
  queued: number;
  running: number;
  retrying: number;
  /** Were running in too many processes that crashed: they have failed. */
  poisoned: number;
  seconds: number;
}

export interface StoreHealth {
  kind: string;
  /** Why it cannot be written now. */
  trouble: string | null;
  /** null when nothing is kept. */
  recovered: StoreRecovery | null;
  /** The pipelines that cannot run, since their definitions can no longer be used. */
  unusable: { pipelineId: string; reason: string }[];
}

export interface TaskCatalogue {
  list(): TaskInfo[];
}

export interface LimiterCatalogue {
  /** By name, each with all stages that wait for it. */
  list(): Promise<LimiterView[]>;
  /**
   * Takes effect at once, for those who wait too, and stays until the definition of the limiter changes or {@link LimiterCatalogue.reset}. Throws
   * `limiter-not-found`, `invalid-input`.
   */
  change(name: string, patch: LimiterPatch, operator?: Operator): Promise<LimiterView>;
  /** Returns to the definition. A hold stays. Throws `limiter-not-found`. */
  reset(name: string, operator?: Operator): Promise<LimiterView>;
}
