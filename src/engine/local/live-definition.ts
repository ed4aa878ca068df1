import { isDeepStrictEqual } from 'node:util';
import type { PipelineDefinition, StageDefinition } from '../../schemas/definition.ts';
import type { StageTuned, StageTuning } from '../../schemas/redefinition.ts';
import { SluiceError } from '../contract/errors.ts';
import type { PutOutcome } from '../contract/host.ts';
import type { Operator } from '../contract/operator.ts';
import type { Lifecycle } from '../control/lifecycle.ts';
import type { Operations } from '../control/operations.ts';
import { plannedStages, redefineStages } from '../control/redefinition.ts';
import { expectedMoves, matchStages, renamedStages, stageChanges } from '../control/stage-changes.ts';
import { tellChange } from '../control/told.ts';
import { wordsFor, workersClaimed } from '../control/worker-room.ts';
import { changedFieldsOf, definitionChange } from '../definition/definition-trace.ts';
import type { StageSpec } from '../definition/stage-spec.ts';
import { settingsOf, Tuning } from '../definition/tuning.ts';
import type { Core, CoreOptions } from '../flow/core.ts';
import type { Stage } from '../model/model.ts';

/** The definition of a pipeline while it runs: another one can replace it, and operators tune its stages. */
export class LiveDefinition {
  /** The definition as it was given last, stored or not. */
  current: PipelineDefinition;
  /** The definition that the pipeline's file had last; null when it is not from a file. */
  inFile: PipelineDefinition | null = null;
  private compared: { current: PipelineDefinition | null; inFile: PipelineDefinition | null; isSame: boolean };
  private readonly core: Core;
  private readonly lifecycle: Lifecycle;
  private readonly operations: Operations;
  private readonly tuning: Tuning;
  private readonly onRemoved: (stage: Stage) => void;

  /** `onRemoved`: called for each stage that a new definition does not have. */
  constructor(definition: PipelineDefinition, core: Core, lifecycle: Lifecycle, operations: Operations, onRemoved: (stage: Stage) => void) {
    this.current = definition;
    this.compared = { current: null, inFile: null, isSame: false };
    this.core = core;
    this.lifecycle = lifecycle;
    this.operations = operations;
    this.tuning = new Tuning(core.options.maxWorkersPerStage ?? Number.POSITIVE_INFINITY);
    this.onRemoved = onRemoved;
  }

  /** Whether the definition in force is that of the pipeline's file, and whether there is a file that says otherwise. */
  get origin(): { definitionSource: 'file' | 'api'; fileDiffers: boolean } {
    const { current, inFile, compared } = this;
    if (compared.current !== current || compared.inFile !== inFile) {
      this.compared = { current, inFile, isSame: inFile !== null && isDeepStrictEqual(current, inFile) };
    }
    const { isSame } = this.compared;
    return { definitionSource: isSame ? 'file' : 'api', fileDiffers: inFile !== null && !isSame };
  }

  /** The tuning of each stage that has some. */
  get overrides(): Record<string, StageTuning> {
    return this.tuning.view();
  }

  /** Takes up the tuning from before a restart. */
  restore(overrides: Readonly<Record<string, StageTuning>>): void {
    this.tuning.restore(overrides);
    // It has no tasks, and gets another definition before it needs more than one worker.
    if (this.lifecycle.unusable !== null) return;
    for (const stage of this.core.stages) this.operations.apply(stage, this.tuning.effective(this.defined(stage.name)));
  }

  tune(name: string, tuning: StageTuning, operator?: Operator): StageTuned {
    const stage = this.operations.stage(name);
    const defined = this.defined(name);
    const { others, most } = this.core.options.workerRoom?.() ?? { others: 0, most: Number.POSITIVE_INFINITY };
    const before = workersClaimed(defined, stage.spec.definition, stage);
    const rest = others + this.workersClaimed() - before;
    const roomFault = (workers: number): string | null =>
      workers <= before || workers + rest <= most ? null : wordsFor(workers, rest, most, 'stages and pipelines');
    this.operations.settle(stage, this.tuning.change(defined, tuning, roomFault), operator);
    this.core.keeper.touchFact('control');
    return this.tuned(name);
  }

  untune(name: string, operator?: Operator): StageTuned {
    const stage = this.operations.stage(name);
    this.tuning.drop(name);
    this.operations.settle(stage, this.defined(name), operator);
    this.core.keeper.touchFact('control');
    return this.tuned(name);
  }

  /**
   * Replaces the definition; see redefinition.ts for what becomes of the items. Tuning stays with the stages that stay. `specOf` turns a
   * stage's definition into functions; it throws before anything is changed, and so does a store that cannot be read (`store-unavailable`).
   */
  redefine(
    definition: PipelineDefinition,
    bounds: Pick<CoreOptions, 'collectResults' | 'retention' | 'backlogCapacity' | 'onDone'>,
    specOf: (stage: StageDefinition) => StageSpec,
    operator?: Operator,
  ): Omit<PutOutcome, 'isCreated' | 'pipeline'> {
    const { core } = this;
    if (this.lifecycle.isShuttingDown) throw new SluiceError('invalid-state', 'the pipeline is being shut down');
    const nameBefore = renamedStages(core, definition.stages);
    const specs = definition.stages.map((stage) => specOf(this.tuning.effective(stage, nameBefore.get(stage.name))));
    const planned = plannedStages(core, specs);
    const trace = definitionChange(this.current, definition);
    const changedFields = changedFieldsOf(this.current, definition);
    this.current = definition;
    this.lifecycle.unusable = null;
    Object.assign(core.options, bounds);
    core.index.retain(bounds.retention);
    const before = core.stages;
    const { hasRoutes, ...outcome } = redefineStages(core, planned, () => tellChange(core, operator, { change: 'redefined', ...trace }));
    core.hasRoutes = hasRoutes;
    for (const stage of before) if (stage.isRemoved) this.onRemoved(stage);
    this.tuning.follow(definition.stages, nameBefore);
    core.admission.resize(bounds.backlogCapacity);
    for (const fact of ['definition', 'stages', 'control'] as const) core.keeper.touchFact(fact);
    return { ...outcome, changedFields };
  }

  /** Tells what {@link LiveDefinition.redefine} would change, and where items would go if it were called now. Changes nothing. */
  preview(definition: PipelineDefinition): Omit<PutOutcome, 'isCreated' | 'pipeline'> {
    const { core } = this;
    const { stages } = definition;
    const nameBefore = renamedStages(core, stages);
    const definitions = stages.map((stage) => this.tuning.effective(stage, nameBefore.get(stage.name)));
    const match = matchStages(core, definitions);
    return {
      changes: stageChanges(core.stages, match, definitions),
      changedFields: changedFieldsOf(this.current, definition),
      moved: expectedMoves(core.stages, match, definitions),
    };
  }

  /** The number of workers that count towards the host's maximum; with another definition, if one is given. */
  workersClaimed(definition = this.current): number {
    const { core, tuning } = this;
    if (this.lifecycle.unusable !== null && definition === this.current) return core.inProgress;
    const nameBefore = definition === this.current ? new Map<string, string>() : renamedStages(core, definition.stages);
    const stays = new Set<Stage>();
    let claimed = 0;
    for (const defined of definition.stages) {
      const name = nameBefore.get(defined.name) ?? defined.name;
      const stage = core.stages.find((candidate) => candidate.name === name);
      if (stage !== undefined) stays.add(stage);
      claimed += workersClaimed(defined, tuning.effective(defined, name), stage);
    }
    // A worker of a removed stage stays until its item has ended.
    for (const stage of core.allStages) if (!stays.has(stage)) claimed += stage.inProgress;
    return claimed;
  }

  private defined(stage: string): StageDefinition {
    return this.current.stages.find(({ name }) => name === stage) as StageDefinition;
  }

  private tuned(stage: string): StageTuned {
    const { spec } = this.operations.stage(stage);
    return { stage, effective: settingsOf(spec.definition), defined: settingsOf(this.defined(stage)) };
  }
}
