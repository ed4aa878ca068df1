/** The spans of pipelines, as an OpenTelemetry SDK gets them. */
import { context, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  createLocalHost,
  createTaskRegistry,
  type Hook,
  type LocalHostOptions,
  type PipelineRuntime,
  type TaskContext,
  type TaskDeclaration,
  type TaskHandler,
} from '../../src/engine/index.ts';
import { silentLogger, systemPorts } from '../../src/engine/ports.ts';
import type { PipelineDefinition, StageDefinitionInput } from '../../src/schemas/definition.ts';
import type { TaskKind } from '../../src/schemas/task.ts';
import { findTracer } from '../../src/tracing/index.ts';
import { createTracer, type SdkTracer } from '../../src/tracing/otel-tracer.ts';
import { inTime, named, SOON } from '../conformance/world.ts';
import { createGate } from '../engine/harness.ts';
import { HOST, livesOf, registryOf } from '../stores/durable-host.ts';

const ASKED = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'v=1' };
const mask = (text: string): string => text.replaceAll('hunter22', '***');

beforeAll(() => {
  // It brings the manager of contexts along.
  new NodeTracerProvider().register();
  trace.disable();
});
afterAll(() => context.disable());

/** An SDK that keeps its spans, and the tracer over it. */
function sdk(options: { processors?: SpanProcessor[]; sampler?: AlwaysOffSampler } = {}) {
  const exporter = new InMemorySpanExporter();
  const { processors = [], ...others } = options;
  const provider = new NodeTracerProvider({ ...others, spanProcessors: [...processors, new SimpleSpanProcessor(exporter)] });
  const errors: unknown[] = [];
  const logger = { ...silentLogger, error: (fields: object) => void errors.push(fields) };
  const tracer = createTracer({ version: '1', logger, mask }, provider) as SdkTracer;
  const spans = (): ReadableSpan[] => exporter.getFinishedSpans();
  return { provider, tracer, errors, spans, of: (name: string) => spans().filter((span) => span.name === name) };
}

async function pipeline(
  tracer: SdkTracer,
  tasks: Record<string, TaskHandler>,
  stages: StageDefinitionInput[],
  { hooks = {}, ...more }: Partial<PipelineDefinition> & { hooks?: Record<string, Hook> } = {},
  options: Partial<LocalHostOptions> = {},
): Promise<PipelineRuntime> {
  const secrets = { values: {}, mask };
  const host = createLocalHost({ ...HOST, registry: registryOf(tasks, hooks), ports: { ...systemPorts, tracer, secrets }, ...options });
  onTestFinished(async () => void (await host.shutdown('force', 1)));
  await host.create({ id: 'p', stages, ...more });
  return host.get('p');
}

function declared(kind: TaskKind, name: string, run: TaskHandler): TaskDeclaration {
  return { kind, name, description: name, paramsSchema: null, parseParams: (given) => given, run };
}

const pass: TaskHandler = (value) => value;
const idOf = (span: ReadableSpan | undefined): string => `${span?.spanContext().traceId} ${span?.spanContext().spanId}`;
const linksOf = ({ links }: ReadableSpan): string[] => links.map(({ context: { traceId, spanId } }) => `${traceId} ${spanId}`);

describe('without an SDK', () => {
  it('there is no tracer, whether somebody has loaded the API or not', async () => {
    trace.disable();
    const options = { version: '1', logger: silentLogger, mask };
    expect(await findTracer(options)).toBeUndefined();
    expect(createTracer(options)).toBeUndefined();
  });

  it('one that is registered is found', async () => {
    const { provider } = sdk();
    trace.setGlobalTracerProvider(provider);
    expect(await findTracer({ version: '1', logger: silentLogger, mask })).toBeDefined();
    trace.disable();
  });
});

describe('the span of a feed', () => {
  it('is a producer’s, a child of the place that the request names, and counts the items', async () => {
    const { tracer, of } = sdk();
    const p = await pipeline(tracer, { pass }, [{ name: 'A', tasks: ['pass'] }]);
    await p.run([...named('a', 'b'), { id: 'a' }], { feedId: 'f', trace: ASKED });
    const [span] = of('send p');
    expect(span).toMatchObject({
      kind: SpanKind.PRODUCER,
      status: { code: SpanStatusCode.UNSET },
      parentSpanContext: { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' },
      instrumentationScope: { name: 'sluice', version: '1', schemaUrl: 'https://opentelemetry.io/schemas/1.44.0' },
      attributes: {
        'messaging.system': 'sluice',
        'messaging.operation.name': 'send',
        'messaging.operation.type': 'send',
        'messaging.destination.name': 'p',
        'messaging.batch.message_count': 2,
        'messaging.sluice.pipeline': 'p',
        'messaging.sluice.feed.id': 'f',
        'messaging.sluice.feed.duplicates': 1,
      },
    });
    expect(span?.spanContext().traceId).toBe('4bf92f3577b34da6a3ce929d0e0e4736');
  });

  it('has a trace of its own when the request names none, and goes on from a span that is active', async () => {
    const { tracer, provider, of } = sdk();
    const p = await pipeline(tracer, { pass }, [{ name: 'A', tasks: ['pass'] }]);
    await p.run(named('a'), {});
    const server = provider.getTracer('http').startSpan('POST /pipelines/:id/feed', {}, ROOT_CONTEXT);
    await context.with(trace.setSpan(ROOT_CONTEXT, server), () => p.run(named('b'), { trace: ASKED }));
    const [own, child] = of('send p');
    expect(own?.parentSpanContext).toBeUndefined();
    expect(child?.parentSpanContext?.spanId).toBe(server.spanContext().spanId);
  });

  it('says why a request was refused, and that one broke off', async () => {
    const { tracer, of } = sdk();
    const p = await pipeline(tracer, { pass }, [{ name: 'A', tasks: ['pass'] }], { backlogCapacity: 1 });
    await p.pause();
    await expect(p.feed([1, 2], { feedId: 'hunter22' })).rejects.toMatchObject({ code: 'queue-full' });
    const writer = await p.openFeed({});
    await writer.push([1]);
    await writer.abort();
    expect(
      of('send p').map(({ status, attributes }) => [status.code, attributes['error.type'], attributes['messaging.batch.message_count']]),
    ).toEqual([
      [SpanStatusCode.ERROR, 'queue-full', 0],
      [SpanStatusCode.ERROR, 'upload-incomplete', 1],
    ]);
    expect(of('send p')[0]?.attributes['messaging.sluice.feed.id']).toBe('***');
  });

  it('is one for each request of a feed, with what that request sent', async () => {
    const { tracer, of } = sdk();
    const p = await pipeline(tracer, { pass }, [{ name: 'A', tasks: ['pass'] }]);
    await p.run(named('a', 'b'), { feedId: 'f' });
    await p.feed(named('a', 'c'), { feedId: 'f', append: true });
    await inTime(async () => of('process p/A').length === 3);
    const sends = of('send p');
    expect(sends.map(({ attributes }) => attributes['messaging.batch.message_count'])).toEqual([2, 1]);
    expect(of('process p/A').map(linksOf)).toEqual([[idOf(sends[0])], [idOf(sends[0])], [idOf(sends[1])]]);
  });
});

describe('the span of an item in a stage', () => {
  it('is a consumer’s of a trace of its own, linked to that of the feed', async () => {
    const { tracer, of, spans } = sdk();
    const p = await pipeline(tracer, { pass }, [
      { name: 'A', tasks: ['pass'] },
      { name: 'B', tasks: ['pass', 'pass'] },
    ]);
    await p.run(named('a', 'b'), { feedId: 'f', trace: ASKED });
    const [send] = of('send p');
    const processed = spans().filter(({ kind }) => kind === SpanKind.CONSUMER);
    expect(processed.map(({ name, attributes }) => `${name} ${attributes['messaging.message.id']}`).sort()).toEqual([
      'process p/A a',
      'process p/A b',
      'process p/B a',
      'process p/B b',
    ]);
    for (const span of processed) {
      expect(linksOf(span)).toEqual([idOf(send)]);
      expect(span.parentSpanContext).toBeUndefined();
    }
    expect(new Set(processed.map((span) => span.spanContext().traceId)).size).toBe(4);
    expect(of('process p/B')[0]?.attributes).toEqual({
      'messaging.system': 'sluice',
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': 'p/B',
      'messaging.client.id': 'B-W0',
      'messaging.message.id': 'a',
      'messaging.sluice.pipeline': 'p',
      'messaging.sluice.stage': 'B',
      'messaging.sluice.feed.id': 'f',
      'messaging.sluice.attempt': 1,
      'messaging.sluice.outcome': 'advance',
    });
  });

  it.each(['per_task', 'per_stage'] as const)('is one for each stay with a worker, with the attempt and its error: %s', async (retry) => {
    const { tracer, of } = sdk();
    const fails: TaskHandler = (_value: unknown, { attempt }: TaskContext) => {
      throw Object.assign(new Error(`hunter22 ${attempt}`), { name: 'Weird' });
    };
    const p = await pipeline(tracer, { fails }, [
      { name: 'A', tasks: ['fails'], retry, taskAttempts: 2, stageAttempts: 2, taskWaitSeconds: SOON },
    ]);
    await p.run(named('a'), {});
    expect(
      of('process p/A').map(({ status, attributes }) => [
        status,
        attributes['error.type'],
        attributes['messaging.sluice.attempt'],
        attributes['messaging.sluice.outcome'],
      ]),
    ).toEqual([
      [{ code: SpanStatusCode.ERROR, message: '*** 1' }, 'Weird', 1, 'retry'],
      [{ code: SpanStatusCode.ERROR, message: '*** 2' }, 'Weird', 2, 'fail'],
    ]);
  });

  it('ends with each other outcome as well, without an error', async () => {
    const { tracer, of, spans } = sdk();
    const gate = createGate();
    const odd = (_value: unknown, { itemId }: { itemId: string }): boolean => itemId === 'skipped';
    const registry = createTaskRegistry([declared('task', 'gated', gate.task), declared('predicate', 'odd', odd)]);
    const p = await pipeline(tracer, {}, [{ name: 'A', workers: 3, tasks: ['gated'], skipIf: 'odd' }], {}, { registry });
    await p.feed(named('skipped', 'cancelled', 'aborted', 'done'), {});
    await inTime(async () => gate.inside.length === 3);
    await p.cancelItem('cancelled');
    gate.open('done');
    await p.waitForItems({ itemIds: ['done'], returnWhen: 'ALL_COMPLETED' });
    await p.shutdown('force', 1);
    const outcomes = of('process p/A').map(({ status, attributes }) => [
      attributes['messaging.message.id'],
      attributes['messaging.sluice.outcome'],
      status.code,
    ]);
    expect(outcomes).toEqual([
      ['skipped', 'skip', SpanStatusCode.UNSET],
      ['cancelled', 'cancelled', SpanStatusCode.UNSET],
      ['done', 'advance', SpanStatusCode.UNSET],
      ['aborted', 'aborted', SpanStatusCode.UNSET],
    ]);
    expect(spans()).toHaveLength(5);
  });

  it('is active in tasks and hooks, after they have waited too, and is what they are told', async () => {
    const { tracer, provider, of } = sdk();
    const told: Record<string, unknown> = {};
    const child = (name: string): void => provider.getTracer('user').startSpan(name).end();
    const task: TaskHandler = async (value: unknown, ctx: TaskContext) => {
      await new Promise((resolve) => setImmediate(resolve));
      child('in the task');
      told.task = ctx.trace;
      return value;
    };
    const hook: Hook = (...args: unknown[]) => {
      child('in the hook');
      told.hook = (args[3] as { trace: unknown }).trace;
    };
    const p = await pipeline(tracer, { task }, [{ name: 'A', tasks: ['task'], onSuccess: 'hook' }], { hooks: { hook } });
    await p.run(named('a'), { trace: ASKED });
    const [span] = of('process p/A');
    const { traceId, spanId } = (span as ReadableSpan).spanContext();
    const traceparent = `00-${traceId}-${spanId}-01`;
    expect(told).toEqual({ task: { traceparent }, hook: { traceparent } });
    for (const name of ['in the task', 'in the hook']) expect(of(name)[0]?.parentSpanContext?.spanId, name).toBe(spanId);
  });

  it('of the hook of a feed that is done is linked to every request that sent it', async () => {
    const { tracer, of } = sdk();
    const told: unknown[] = [];
    const tell: Hook = (...args: unknown[]) => {
      told.push((args[3] as { trace: unknown }).trace);
      if (told.length > 1) throw new TypeError('no');
    };
    const p = await pipeline(tracer, { pass }, [{ name: 'A', tasks: ['pass'] }], { hooks: { tell }, onDone: 'tell' });
    await p.run(named('a'), { feedId: 'f' });
    await inTime(async () => of('done p').length === 1);
    await p.feed(named('b'), { feedId: 'f', append: true });
    await inTime(async () => of('done p').length === 2);
    const sends = of('send p').map(idOf);
    expect(of('done p').map(linksOf)).toEqual([[sends[0]], sends]);
    expect(
      of('done p').map(({ status, attributes }) => [status.code, attributes['error.type'], attributes['messaging.batch.message_count']]),
    ).toEqual([
      [SpanStatusCode.UNSET, undefined, 1],
      [SpanStatusCode.ERROR, 'TypeError', 2],
    ]);
    expect(told.map((one) => (one as typeof ASKED).traceparent.split('-')[2])).toEqual(
      of('done p').map((span) => span.spanContext().spanId),
    );
  });

  it('is linked to the feed after a restart too', async () => {
    const before = sdk();
    const after = sdk();
    const lives = livesOf({ pass });
    const first = await lives.begin({ ports: { ...systemPorts, tracer: before.tracer } });
    await first.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] }, { start: false });
    await first.host.get('p').feed(named('a'), { trace: ASKED });
    await first.crash();
    const { host } = await lives.begin({ ports: { ...systemPorts, tracer: after.tracer } });
    await host.get('p').start();
    await host.get('p').waitForItems({ itemIds: ['a'], returnWhen: 'ALL_COMPLETED' });
    expect(after.of('process p/A').map(linksOf)).toEqual([[idOf(before.of('send p')[0])]]);
  });

  it('that is not sampled is not recorded, and its place goes on as one that is not', async () => {
    const { tracer, spans } = sdk({ sampler: new AlwaysOffSampler() });
    const seen: unknown[] = [];
    const look: TaskHandler = (_value: unknown, ctx: TaskContext) => void seen.push(ctx.trace?.traceparent.slice(-2));
    const p = await pipeline(tracer, { look }, [{ name: 'A', tasks: ['look'] }]);
    await p.run(named('a'), { trace: ASKED });
    expect([seen, spans()]).toEqual([[`0${TraceFlags.NONE}`], []]);
  });
});

describe('an SDK that throws', () => {
  const fails = (): never => {
    throw new Error('hunter22 is gone');
  };
  const idle = { onStart: () => undefined, onEnd: () => undefined, forceFlush: async () => undefined, shutdown: async () => undefined };

  it.each([{ onStart: fails }, { onEnd: fails }])('%j costs its spans, is logged once, and no item notices', async (faulty) => {
    const { tracer, errors } = sdk({ processors: [{ ...idle, ...faulty }] });
    const p = await pipeline(tracer, { pass }, [{ name: 'A', tasks: ['pass'] }]);
    const { results } = await p.run(named('a', 'b'), { trace: ASKED });
    expect(results.map(({ error }) => error)).toEqual([null, null]);
    expect(errors).toEqual([{ error: { type: 'Error', message: '*** is gone' } }]);
  });

  it('when it is to send its spans on says why, without secrets', async () => {
    const { tracer } = sdk({ processors: [{ ...idle, forceFlush: async () => fails() }] });
    await expect(tracer.flush()).rejects.toThrow('*** is gone');
    await expect(sdk().tracer.flush()).resolves.toBeUndefined();
  });
});
