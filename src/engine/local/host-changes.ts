import { isDeepStrictEqual } from 'node:util';
import type { PipelineDefinition, StageDefinition } from '../../schemas/definition.ts';
import { SluiceError } from '../contract/errors.ts';
import type { PutOptions, PutOutcome, Validated } from '../contract/host.ts';
import type { PipelineDescription } from '../contract/runtime.ts';
import { tellOperated, tellUnchanged } from '../control/told.ts';
import { definitionTrace } from '../definition/definition-trace.ts';
import { resolveStage } from '../definition/stage-spec.ts';
import type { HostStore } from '../durable/host-store.ts';
import type { HostEvents } from '../events/host-events.ts';
import type { Limiters } from '../limits/limiters.ts';
import type { PlannedLimits } from '../limits/limits-plan.ts';
import type { Keeper } from '../model/keeper.ts';
import { promised } from './answer-gate.ts';
import type { HostHistory } from './host-history.ts';
import type { LocalHostOptions } from './host-options.ts';
import { workersOf } from './host-parts.ts';
import type { HostRoom } from './host-room.ts';
import { carriedOut, limitersUsed } from './limiter-users.ts';
import type { LocalRuntime } from './local-runtime.ts';
import type { RuntimeBuilder } from './runtime-builder.ts';

const MAX_PIPELINES = 1000;

export interface HostChangesParts {
  options: LocalHostOptions;
  pipelines: Map<string, LocalRuntime>;
  limiters: Limiters;
  events: HostEvents;
  room: HostRoom;
  builder: RuntimeBuilder;
  history: HostHistory;
  stored: () => HostStore | null;
  keeper: () => Pick<Keeper, 'trouble' | 'settled'>;
  /** Throws `pipeline-not-found`. */
  get: (id: string) => LocalRuntime;
  addEvents: (pipeline: LocalRuntime) => void;
  expectNoShutdown: () => void;
  isRecovering: () => boolean;
}

/** Makes, redefines and removes the pipelines of a host. Each change waits until those of the same id before it are carried out. */
export class HostChanges {
  private readonly parts: HostChangesParts;

  constructor(parts: HostChangesParts) {
    this.parts = parts;
  }

  async create(definition: PipelineDefinition, options: PutOptions, checksRoom: boolean): Promise<PipelineDescription> {
    if (this.isLeaving(definition.id)) await this.hasLeft();
    if (this.parts.pipelines.has(definition.id)) throw new SluiceError('pipeline-exists', `a pipeline "${definition.id}" already exists`);
    this.expectPlace();
    if (checksRoom) this.parts.room.expect(workersOf(definition), definition.id);
    const limits = this.plannedLimits(definition.id, definition, options.within);
    const link = this.parts.stored()?.create(definition.id);
    const pipeline = carriedOut(limits, () => this.parts.builder.build(definition, link));
    pipeline.loadSeries = () => this.parts.history.load(pipeline);
    this.parts.pipelines.set(definition.id, pipeline);
    pipeline.beginStored();
    this.parts.addEvents(pipeline);
    tellOperated(pipeline.core, options.operator, { change: 'created', before: null, after: definitionTrace(definition) });
    if (options.start !== false) pipeline.begin();
    return pipeline.describeNow();
  }

  /** Tells what a definition would change; `pipeline`: the one that it would replace. Throws what stands in its way. */
  preview(definition: PipelineDefinition, pipeline: LocalRuntime | undefined, within?: PutOptions['within']): Validated {
    const known = pipeline ?? this.parts.pipelines.get(definition.id);
    const workers = known?.defined.workersClaimed(definition) ?? workersOf(definition);
    if (known === undefined) this.expectPlace();
    if (known === undefined || workers > known.defined.workersClaimed()) this.parts.room.expect(workers, definition.id);
    this.plannedLimits(definition.id, definition, within);
    if (pipeline === undefined) return { definition };
    const isSame = pipeline.unusable === null && isDeepStrictEqual(pipeline.defined.current, definition);
    return { definition, ...(isSame ? { changes: [], changedFields: [], moved: [] } : pipeline.defined.preview(definition)) };
  }

  /** Expects room for one pipeline more. */
  private expectPlace(): void {
    const { maxPipelines = MAX_PIPELINES } = this.parts.options;
    if (this.parts.pipelines.size < maxPipelines) return;
    const message = `there are already ${this.parts.pipelines.size} pipelines, the most that MAX_PIPELINES allows`;
    throw new SluiceError('invalid-pipeline', message, { errors: [{ path: '', message }] });
  }

  private isLeaving(id: string): boolean {
    return this.parts.pipelines.get(id)?.gate.isLeaving === true;
  }

  /** Resolves when the pipelines that are being removed are gone. Throws `store-unavailable` when that cannot be stored now. */
  private hasLeft(): Promise<void> {
    return promised(this.parts.keeper(), () => undefined);
  }

  /** Plans the changes to limiters by a pipeline's next definition; null: it is removed. Throws what stands in the way. */
  private plannedLimits(id: string, next: PipelineDefinition | null, within: PutOptions['within'] = null): PlannedLimits {
    const uses = next === null ? new Set<string>() : limitersUsed(next);
    const othersWith = (name: string): string[] =>
      [...this.parts.pipelines.values()]
        .filter(({ core, gate, defined }) => core.id !== id && !gate.isLeaving && limitersUsed(defined.current).has(name))
        .map(({ core }) => core.id);
    return this.parts.limiters.plan({ id, limits: next?.limits ?? {}, uses, othersWith, within });
  }

  async put(definition: PipelineDefinition, options: PutOptions, checksRoom: boolean): Promise<PutOutcome> {
    const { id } = definition;
    if (this.isLeaving(id)) await this.hasLeft();
    // The definition before may still have items to move: they go by that one.
    for (let moving = this.movingIn(id); moving !== undefined; moving = this.movingIn(id)) await moving;
    this.parts.expectNoShutdown();
    const pipeline = this.parts.pipelines.get(id);
    if (pipeline === undefined) {
      return { isCreated: true, pipeline: await this.create(definition, options, checksRoom), changes: [], changedFields: [], moved: [] };
    }
    // One that stands still goes on by the same definition, once what that names is there.
    if (pipeline.unusable === null && isDeepStrictEqual(pipeline.defined.current, definition)) {
      tellUnchanged(pipeline.core, options.operator, { change: 'redefined', before: {} });
      return { isCreated: false, pipeline: pipeline.describeNow(), changes: [], changedFields: [], moved: [] };
    }
    const workers = pipeline.defined.workersClaimed(definition);
    const wasUnusable = pipeline.unusable !== null;
    const before = wasUnusable ? undefined : pipeline.defined.current;
    // Less than before is taken, whatever there is.
    if (checksRoom && workers > pipeline.defined.workersClaimed()) this.parts.room.expect(workers, id);
    const specOf = (stage: StageDefinition) => resolveStage(stage, this.parts.builder.specs);
    const outcome = carriedOut(this.plannedLimits(id, definition, options.within), () =>
      pipeline.defined.redefine(definition, this.parts.builder.boundsOf(definition), specOf, options.operator),
    );
    for (const { from, stage } of outcome.changes) if (from !== undefined) pipeline.series.rename(from, stage);
    this.parts.builder.hintAtThreads(definition, before);
    if (wasUnusable && !this.parts.isRecovering()) pipeline.asked.goOn();
    return { isCreated: false, pipeline: pipeline.describeNow(), ...outcome };
  }

  private movingIn(id: string): Promise<void> | undefined {
    return this.parts.pipelines.get(id)?.core.evacuation.ended();
  }

  async remove(
    id: string,
    mode: 'drain' | 'force' | undefined,
    { within, operator }: Pick<PutOptions, 'within' | 'operator'>,
  ): Promise<void> {
    this.parts.expectNoShutdown();
    if (this.isLeaving(id)) await this.hasLeft();
    const pipeline = this.parts.get(id);
    const inFlight = pipeline.core.ledger.inFlight;
    if (mode === undefined && inFlight > 0) {
      throw new SluiceError('items-in-flight', `${inFlight} items are unfinished`, { details: { itemsInFlight: inFlight } });
    }
    this.plannedLimits(id, null, within);
    await pipeline.stop(mode ?? 'force', 'removal');
    if (this.parts.pipelines.get(id) !== pipeline || pipeline.gate.isLeaving) return;
    // Others may have begun to use them meanwhile.
    carriedOut(this.plannedLimits(id, null, within), () => undefined);
    tellOperated(pipeline.core, operator, { change: 'removed', before: definitionTrace(pipeline.defined.current), after: null });
    pipeline.gate.isLeaving = true;
    pipeline.doneCalls.stop();
    pipeline.core.evacuation.stop();
    const gone = (): void => {
      const { events } = pipeline.core;
      // Its last events are stored no more; that it is gone is.
      events.show(events.last);
      this.parts.pipelines.delete(id);
      this.parts.events.remove(id);
      this.parts.options.ports.notes?.leave(id);
    };
    const stored = this.parts.stored();
    if (pipeline.durable === null || stored === null) gone();
    else stored.drop(pipeline.durable, gone);
  }
}
