/**
 * What users of the library write, as far as TypeScript has to take it or refuse it. Compiled by `npm run typecheck` and never run: a type that
 * has become another one, or a mistake that is no longer refused, is an error of the compiler.
 */
import {
  createLocalHost,
  createTaskRegistry,
  type ErrorCode,
  type ErrorSummary,
  type FeedEvent,
  type FeedReceipt,
  type ItemStatus,
  type LocalHost,
  Pipeline,
  type PipelineError,
  type PipelineEvent,
  type PipelineResult,
  type PipelineRuntime,
  type PipelineState,
  type PipelineStats,
  type ShutdownReport,
  SluiceError,
  type SluiceEvent,
  type StageValidationError,
  type StatusEvent,
  StatusTracker,
  type TaskContext,
  type TaskEvent,
} from 'sluice';
import { type Ports, systemPorts } from 'sluice/ports';
import { expectTypeOf } from 'vitest';
import type { z } from 'zod';
import type { pipelineDefinitionSchema, StageDefinitionInput } from '../../src/schemas/definition.ts';

declare const anything: unknown;

// Stages of plain functions.
const fetchPage = async (url: string, ctx: TaskContext): Promise<string> => (await fetch(url, { signal: ctx.signal })).text();
const count = (text: string): number => text.length;
const pipeline = new Pipeline({
  stages: [
    { name: 'Fetch', workers: 5, tasks: [fetchPage], retry: 'per_task', taskAttempts: 3, backoff: 'exponential', jitter: 0.1 },
    { name: 'Count', tasks: [count], skipIf: (value) => value === '', onFailure: (itemId) => expectTypeOf(itemId).toEqualTypeOf<string>() },
  ],
  collectResults: true,
  ports: { random: () => 0.5 },
});
// @ts-expect-error a pipeline has stages
new Pipeline({});
// @ts-expect-error a stage has a name
new Pipeline({ stages: [{ tasks: [count] }] });
// @ts-expect-error a stage retries in one of two ways
new Pipeline({ stages: [{ name: 'S', tasks: [count], retry: 'sometimes' }] });
// @ts-expect-error workers are counted
new Pipeline({ stages: [{ name: 'S', tasks: [count], workers: '5' }] });
// @ts-expect-error no option is called so
new Pipeline({ stages: [{ name: 'S', tasks: [count] }], colectResults: true });

expectTypeOf(pipeline.run(['a'])).resolves.toEqualTypeOf<PipelineResult[]>();
expectTypeOf(pipeline.feed(new Set([1]), { priority: 1, targetStage: 'Count' })).resolves.toEqualTypeOf<FeedReceipt>();
expectTypeOf(pipeline.state).toEqualTypeOf<PipelineState>();
expectTypeOf(pipeline.state).toEqualTypeOf<'created' | 'running' | 'paused' | 'draining' | 'stopped'>();
expectTypeOf(pipeline.getStats()).toEqualTypeOf<PipelineStats>();
expectTypeOf(pipeline.getErrorSummary()).toEqualTypeOf<ErrorSummary>();
expectTypeOf(pipeline.shutdown('force')).resolves.toEqualTypeOf<ShutdownReport>();
expectTypeOf(pipeline).toExtend<AsyncDisposable>();
// @ts-expect-error a shutdown has one of three modes
void pipeline.shutdown('now');

// A result has a value or an error.
declare const result: PipelineResult;
expectTypeOf(result.value).toEqualTypeOf<unknown>();
if (result.error !== null) expectTypeOf(result.error.attempts).toEqualTypeOf<number>();
// @ts-expect-error it may have none
result.error.message;

// Events are told apart by their type.
declare const event: SluiceEvent;
switch (event.type) {
  case 'status':
    expectTypeOf(event.data).toEqualTypeOf<StatusEvent>();
    expectTypeOf(event.data.status).toEqualTypeOf<ItemStatus>();
    break;
  case 'task':
    expectTypeOf(event.data).toEqualTypeOf<TaskEvent>();
    expectTypeOf(event.data.eventType).toEqualTypeOf<'start' | 'complete' | 'retry' | 'fail' | 'progress'>();
    break;
  case 'result':
    expectTypeOf(event.data).toEqualTypeOf<PipelineResult>();
    break;
  case 'pipeline':
    expectTypeOf(event.data).toEqualTypeOf<PipelineEvent>();
    break;
  case 'feed':
    expectTypeOf(event.data).toEqualTypeOf<FeedEvent>();
    break;
  default:
    expectTypeOf(event).toBeNever();
}
// @ts-expect-error before that it is any of them
event.data.status;

// A tracker.
const tracker = new StatusTracker({
  onStatusChange: (change) => expectTypeOf(change).toEqualTypeOf<StatusEvent>(),
  onTaskFail: async (failure) => expectTypeOf(failure).toEqualTypeOf<TaskEvent>(),
});
new Pipeline({ stages: [{ name: 'S', tasks: [count] }], statusTracker: tracker });
// @ts-expect-error nothing is told by that name
new StatusTracker({ onEnd: () => undefined });

// Errors.
if (anything instanceof SluiceError) {
  expectTypeOf(anything.code).toEqualTypeOf<ErrorCode>();
  expectTypeOf(anything.retryAfterSeconds).toEqualTypeOf<number | undefined>();
  expectTypeOf<'queue-full' | 'shutting-down' | 'item-not-found'>().toExtend<ErrorCode>();
  // @ts-expect-error no error has that code
  if (anything.code === 'queue-ful') throw anything;
}
expectTypeOf<StageValidationError>().toExtend<PipelineError>();
expectTypeOf<PipelineError>().toExtend<SluiceError>();
// @ts-expect-error an error has a code of the catalogue
new SluiceError('nonsense');

// The middle of a service.
const host = createLocalHost({
  registry: createTaskRegistry([]),
  ports: { ...systemPorts, random: () => 0.5 },
  maxStages: 10,
  maxWorkersPerStage: 100,
  retentionMaxItems: 1000,
  retentionMaxAgeSeconds: 3600,
  backlogCapacity: 1000,
  eventsKept: 1024,
  hookTimeoutSeconds: 30,
});
expectTypeOf(host).toEqualTypeOf<LocalHost>();
expectTypeOf(host.get('p')).toExtend<PipelineRuntime>();
expectTypeOf(systemPorts).toEqualTypeOf<Ports>();
// @ts-expect-error it has to know what it may hold
createLocalHost({ registry: createTaskRegistry([]), ports: systemPorts });

// Types come from schemas: what is read has its defaults, what is written may leave them out.
expectTypeOf<z.input<typeof pipelineDefinitionSchema>['stages'][number]>().toEqualTypeOf<StageDefinitionInput>();
expectTypeOf<StageDefinitionInput['workers']>().toEqualTypeOf<number | undefined>();
expectTypeOf<z.output<typeof pipelineDefinitionSchema>['stages'][number]['workers']>().toEqualTypeOf<number>();
