import { type StageDefinition, stageDefinitionSchema } from '../../schemas/definition.ts';
import { faultsOf } from '../../schemas/faults.ts';
import type { StageSettings, StageTuning } from '../../schemas/redefinition.ts';
import { StageValidationError } from '../contract/errors.ts';
import { limitFaults, queueCapacityOf } from './stage-spec.ts';
import { useName } from './task-use.ts';

/** Overrides of stage settings that operators make while the pipeline runs. A field that is given replaces the one in the definition. */
export class Tuning {
  private readonly overrides = new Map<string, StageTuning>();
  private readonly maxWorkers: number;

  constructor(maxWorkers: number) {
    this.maxWorkers = maxWorkers;
  }

  /**
   * Merges `tuning` into the stage's overrides, and returns the settings now in effect. `roomFault` returns the reason why so many workers are
   * not allowed, or null. Throws StageValidationError with every fault.
   */
  change(defined: StageDefinition, tuning: StageTuning, roomFault: (workers: number) => string | null): StageDefinition {
    const merged: StageTuning = { ...this.overrides.get(defined.name), ...present(tuning) };
    const parsed = stageDefinitionSchema.safeParse({ ...defined, ...merged }, { reportInput: true });
    const faults = parsed.success ? limitFaults(parsed.data) : faultsOf(parsed.error);
    if (parsed.success && parsed.data.workers > this.maxWorkers) {
      faults.push({ path: '/workers', message: `is more than ${this.maxWorkers}` });
    }
    const full = parsed.success && faults.length === 0 ? roomFault(parsed.data.workers) : null;
    if (full !== null) faults.push({ path: '/workers', message: full });
    if (!parsed.success || faults.length > 0) throw new StageValidationError(faults);
    this.overrides.set(defined.name, merged);
    return parsed.data;
  }

  drop(stage: string): void {
    this.overrides.delete(stage);
  }

  /** A stage's definition with its overrides, found under the name it had before a rename. Limits of tasks that it lost are left out. */
  effective(defined: StageDefinition, nameBefore = defined.name): StageDefinition {
    return { ...defined, ...applicable(defined, this.overrides.get(nameBefore) ?? {}) } as StageDefinition;
  }

  /** Follows a new definition: the overrides of stages that remain are carried over. */
  follow(stages: readonly StageDefinition[], nameBefore: ReadonlyMap<string, string>): void {
    const before = new Map(this.overrides);
    this.overrides.clear();
    for (const stage of stages) {
      const tuning = before.get(nameBefore.get(stage.name) ?? stage.name);
      if (tuning !== undefined) this.overrides.set(stage.name, applicable(stage, tuning));
    }
  }

  /** Restores the overrides from before a restart. */
  restore(overrides: Readonly<Record<string, StageTuning>>): void {
    for (const [stage, tuning] of Object.entries(overrides)) this.overrides.set(stage, tuning);
  }

  view(): Record<string, StageTuning> {
    return Object.fromEntries([...this.overrides].map(([stage, tuning]) => [stage, structuredClone(tuning)]));
  }
}

/** The settings of a stage that can be tuned. */
export function settingsOf(definition: StageDefinition): StageSettings {
  const { workers, taskConcurrencyLimits, taskRateLimits } = definition;
  return { workers, taskConcurrencyLimits, taskRateLimits, queueCapacity: queueCapacityOf(definition) };
}

function applicable(stage: StageDefinition, tuning: StageTuning): StageTuning {
  const names = new Set(stage.tasks.map(useName));
  const { taskConcurrencyLimits, taskRateLimits, ...rest } = tuning;
  const only = <T>(limits: Record<string, T>): Record<string, T> =>
    Object.fromEntries(Object.entries(limits).filter(([name]) => names.has(name)));
  return {
    ...rest,
    ...(taskConcurrencyLimits === undefined ? {} : { taskConcurrencyLimits: only(taskConcurrencyLimits) }),
    ...(taskRateLimits === undefined ? {} : { taskRateLimits: only(taskRateLimits) }),
  };
}

function present(tuning: StageTuning): StageTuning {
  return Object.fromEntries(Object.entries(tuning).filter(([, value]) => value !== undefined));
}
