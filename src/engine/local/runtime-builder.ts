import type { PipelineDefinition, StageDefinition } from '../../schemas/definition.ts';
import { SluiceError } from '../contract/errors.ts';
import { checkStoredDefinition } from '../definition/definition.ts';
import type { SpecEnvironment } from '../definition/resolved-use.ts';
import { placeholderDoneHook, placeholderStage, resolveDoneHook, resolveStage } from '../definition/stage-spec.ts';
import { useName } from '../definition/task-use.ts';
import type { StoreLink } from '../durable/durable.ts';
import type { HostStore } from '../durable/host-store.ts';
import type { CoreOptions } from '../flow/core.ts';
import type { Limiters } from '../limits/limiters.ts';
import { createValueRule, type ValueRule } from '../values/value-rule.ts';
import type { LocalHostOptions } from './host-options.ts';
import type { HostRoom } from './host-room.ts';
import { LocalRuntime } from './local-runtime.ts';

const MAX_VALUE_BYTES = 16 * 1024 * 1024;

/** Makes the runtimes of a host: a definition, with the host's options, tasks, limiters and store. */
export class RuntimeBuilder {
  private readonly options: LocalHostOptions;
  private readonly limiters: Limiters;
  private readonly room: HostRoom;
  private readonly stored: () => HostStore | null;
  private readonly values: ValueRule;

  constructor(options: LocalHostOptions, limiters: Limiters, room: HostRoom, stored: () => HostStore | null) {
    this.options = options;
    this.limiters = limiters;
    this.room = room;
    this.stored = stored;
    this.values = createValueRule(options.maxValueBytes ?? MAX_VALUE_BYTES);
  }

  /** The tasks and ports from which stages are made. */
  get specs(): SpecEnvironment {
    const { registry, ports } = this.options;
    return { registry, ports, limiters: this.limiters };
  }

  /** The settings of the pipeline as a whole: the bounds that its definition sets, or else the host, and its hook. */
  boundsOf({ collectResults, retention, backlogCapacity, onDone }: PipelineDefinition, isUnusable = false) {
    const { options } = this;
    const hookOf = isUnusable ? placeholderDoneHook : resolveDoneHook;
    return {
      collectResults,
      onDone: onDone === undefined ? undefined : hookOf(onDone, this.specs),
      retention: {
        maxItems: retention?.maxItems ?? options.retentionMaxItems,
        maxAgeSeconds: retention?.maxAgeSeconds ?? options.retentionMaxAgeSeconds,
      },
      backlogCapacity: backlogCapacity ?? options.backlogCapacity,
    };
  }

  /** A pipeline of the store. One whose definition can no longer be used has stages that run nothing, and says why; its items are kept. */
  rebuild(definition: PipelineDefinition, link: StoreLink): LocalRuntime {
    try {
      // One that was accepted by an earlier version goes on, whatever it takes.
      checkStoredDefinition(definition, this.specs, this.options);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      const { message: reason, errors = [] } = error;
      const pipeline = this.build(definition, link, true);
      pipeline.unusable = { reason, errors };
      return pipeline;
    }
    return this.build(definition, link);
  }

  /** Says which stages have more workers for a task in a thread than there are threads, and had not by the definition `before`. */
  hintAtThreads(definition: PipelineDefinition, before?: PipelineDefinition): void {
    const { ports, registry } = this.options;
    const threads = ports.threads?.size ?? Number.POSITIVE_INFINITY;
    const crowdedIn = (stage: StageDefinition | undefined): string | undefined =>
      stage === undefined || stage.runOn === 'hands' || stage.workers <= threads
        ? undefined
        : stage.tasks.map(useName).find((task) => stage.runOn === 'thread' || registry.get(task, 'task')?.thread);
    for (const stage of definition.stages) {
      const task = crowdedIn(stage);
      if (task === undefined || crowdedIn(before?.stages.find(({ name }) => name === stage.name)) !== undefined) continue;
      const { name, workers } = stage;
      const message = 'the stage has more workers than there are threads for its task; the others wait for one (THREADS)';
      ports.logger.warn({ pipeline: definition.id, stage: name, task, workers, threads }, message);
    }
  }

  build(definition: PipelineDefinition, link?: StoreLink, isUnusable = false): LocalRuntime {
    const { options } = this;
    const core: CoreOptions = {
      id: definition.id,
      specs: definition.stages.map((stage) => (isUnusable ? placeholderStage(stage) : resolveStage(stage, this.specs))),
      ...this.boundsOf(definition, isUnusable),
      maxWorkersPerStage: options.maxWorkersPerStage,
      workerRoom: () => ({ others: this.room.beside(definition.id), most: this.room.most }),
      eventsKept: options.eventsKept,
      hookTimeoutSeconds: options.hookTimeoutSeconds,
      values: this.values,
      pageCharacters: options.pageCharacters,
      documentCharacters: options.documentCharacters,
      maxFeeds: options.maxFeeds,
      maxIdempotencyKeys: options.maxIdempotencyKeys,
      maxErrorCharacters: options.maxErrorCharacters,
      ports: options.ports,
    };
    const stored = this.stored();
    if (link !== undefined && stored !== null) {
      core.marks = stored.marksOf(link.pipeline);
      core.careful = stored.careful;
      core.quarantine = stored.quarantine;
    }
    if (!isUnusable) this.hintAtThreads(definition);
    return new LocalRuntime(definition, core, link);
  }
}
