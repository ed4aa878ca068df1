import { isDeepStrictEqual } from 'node:util';
import type { ShutdownMode, ShutdownReport } from '../schemas/control.ts';
import type { PipelineDefinition } from '../schemas/definition.ts';
import { checkDefinition, type DefinitionLimits } from './definition.ts';
import { SluiceError } from './errors.ts';
import { HostEvents } from './host-events.ts';
import { jsonFault } from './json-fault.ts';
import { Limiters } from './limiters.ts';
import { LocalRuntime } from './local-runtime.ts';
import type { Ports } from './ports.ts';
import type { EventSource, PipelineDescription, PipelineHost, PutOutcome } from './runtime.ts';
import { STRENGTH } from './shutdown.ts';
import { resolveStage, type SpecEnvironment } from './stage-spec.ts';
import type { TaskRegistry } from './task-registry.ts';

export interface LocalHostOptions extends DefinitionLimits {
  registry: TaskRegistry;
  ports: Ports;
  /** Bounds for pipelines that name none of their own. */
  retentionMaxItems: number;
  retentionMaxAgeSeconds: number;
  backlogCapacity: number;
  /** How many events each pipeline keeps, for resuming readers and item histories. */
  eventsKept: number;
  hookTimeoutSeconds: number;
}

/** The pipelines of this process. They live as long as it does. */
export class LocalHost implements PipelineHost {
  readonly tasks: TaskRegistry;
  readonly limiters: Limiters;
  shuttingDown = false;
  private readonly options: LocalHostOptions;
  private readonly pipelines = new Map<string, LocalRuntime>();
  private readonly allEvents: HostEvents;

  constructor(options: LocalHostOptions) {
    this.options = options;
    this.tasks = options.registry;
    this.limiters = new Limiters(options.ports);
    this.allEvents = new HostEvents(options.ports.uniqueId());
  }

  get events(): EventSource {
    return this.allEvents.begin();
  }

  list(): Promise<PipelineDescription[]> {
    return Promise.all([...this.pipelines.values()].map((pipeline) => pipeline.describe()));
  }

  snapshots() {
    return Promise.all([...this.pipelines].map(async ([pipelineId, pipeline]) => ({ pipelineId, ...(await pipeline.snapshot()) })));
  }

  async create(raw: unknown, options: { start?: boolean } = {}): Promise<PipelineDescription> {
    if (this.shuttingDown) throw new SluiceError('shutting-down', undefined, { retryAfterSeconds: 5 });
    const definition = checkDefinition(raw, this.specs, this.options);
    if (this.pipelines.has(definition.id)) throw new SluiceError('pipeline-exists', `a pipeline "${definition.id}" exists`);
    const pipeline = this.build(definition);
    this.pipelines.set(definition.id, pipeline);
    this.allEvents.add(definition.id, pipeline.events);
    if (options.start !== false) await pipeline.start();
    return pipeline.describe();
  }

  async put(id: string, raw: unknown, options: { start?: boolean } = {}): Promise<PutOutcome> {
    if (this.shuttingDown) throw new SluiceError('shutting-down', undefined, { retryAfterSeconds: 5 });
    const definition = checkDefinition(withId(id, raw), this.specs, this.options);
    const pipeline = this.pipelines.get(id);
    if (pipeline === undefined) {
      return { isCreated: true, pipeline: await this.create(definition, options), changes: [], moved: [] };
    }
    if (isDeepStrictEqual(pipeline.definition, definition)) {
      return { isCreated: false, pipeline: await pipeline.describe(), changes: [], moved: [] };
    }
    const outcome = pipeline.redefine(definition, this.boundsOf(definition), (stage) => resolveStage(stage, this.specs));
    return { isCreated: false, pipeline: await pipeline.describe(), ...outcome };
  }

  get(id: string): LocalRuntime {
    const pipeline = this.pipelines.get(id);
    if (pipeline === undefined) throw new SluiceError('pipeline-not-found', `no pipeline "${id}"`);
    return pipeline;
  }

  async remove(id: string, mode?: 'drain' | 'force'): Promise<void> {
    const pipeline = this.get(id);
    const inFlight = pipeline.core.inFlight;
    if (mode === undefined && inFlight > 0) {
      throw new SluiceError('items-in-flight', `${inFlight} items are unfinished`, { details: { itemsInFlight: inFlight } });
    }
    await pipeline.shutdown(mode ?? 'force');
    if (this.pipelines.get(id) !== pipeline) return;
    this.pipelines.delete(id);
    this.allEvents.remove(id);
  }

  async shutdown(mode: ShutdownMode, timeoutSeconds: number): Promise<ShutdownReport> {
    this.shuttingDown = true;
    for (const pipeline of this.pipelines.values()) pipeline.core.admission.close();
    const reports = await Promise.all([...this.pipelines.values()].map((pipeline) => pipeline.shutdown(mode, timeoutSeconds)));
    await this.options.ports.threads?.close();
    return sum(mode, reports);
  }

  private get specs(): SpecEnvironment {
    const { registry, ports } = this.options;
    return { registry, ports, limiters: this.limiters };
  }

  private boundsOf({ collectResults, retention, backlogCapacity }: PipelineDefinition) {
    const { options } = this;
    return {
      collectResults,
      retention: {
        maxItems: retention?.maxItems ?? options.retentionMaxItems,
        maxAgeSeconds: retention?.maxAgeSeconds ?? options.retentionMaxAgeSeconds,
      },
      backlogCapacity: backlogCapacity ?? options.backlogCapacity,
    };
  }

  private build(definition: PipelineDefinition): LocalRuntime {
    const { options } = this;
    return new LocalRuntime(definition, {
      id: definition.id,
      specs: definition.stages.map((stage) => resolveStage(stage, this.specs)),
      ...this.boundsOf(definition),
      maxWorkersPerStage: options.maxWorkersPerStage,
      eventsKept: options.eventsKept,
      hookTimeoutSeconds: options.hookTimeoutSeconds,
      valueFault: jsonFault,
      ports: options.ports,
    });
  }
}

/** The address names the pipeline; a definition may leave its id out, but not name another. */
function withId(id: string, raw: unknown): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw;
  const given = (raw as { id?: unknown }).id;
  if (given === undefined) return { id, ...raw };
  if (given === id) return raw;
  const message = `must be ${JSON.stringify(id)}, as the address says, or be left out`;
  throw new SluiceError('invalid-input', `/id ${message}`, { errors: [{ path: '/id', message }] });
}

/** The host whose pipelines run in this process. */
export function createLocalHost(options: LocalHostOptions): LocalHost {
  return new LocalHost(options);
}

function sum(mode: ShutdownMode, reports: readonly ShutdownReport[]): ShutdownReport {
  const total: ShutdownReport = { mode, finished: 0, leftQueued: 0, aborted: 0, notKept: 0, notKeptIds: [], timedOut: false };
  for (const report of reports) {
    total.finished += report.finished;
    total.leftQueued += report.leftQueued;
    total.aborted += report.aborted;
    total.notKept += report.notKept;
    total.notKeptIds = [...total.notKeptIds, ...report.notKeptIds].slice(0, 100);
    total.timedOut ||= report.timedOut;
    if (STRENGTH[report.mode] > STRENGTH[total.mode]) total.mode = report.mode;
  }
  return total;
}
