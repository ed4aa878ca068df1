/*
 * Spans by OpenTelemetry's API, for the SDK that somebody has registered before the service starts. Which spans there are, and what they say, is in
 * docs/tracing.md.
 *
 * Holds: Nothing of an SDK can hurt an item: what its processors and samplers throw is logged, once, and costs the span. What goes into a span is bounded, and
 * secrets are masked.
 * Refuses: to be there without an SDK, to know exporters, and to look into values.
 */
import {
  type Attributes,
  type Context,
  context,
  createTraceState,
  type Link,
  type Span as OtelSpan,
  type Tracer as OtelTracer,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import type { Logger, ProcessSpan, SendSpan, Span, TracedError, TracedItem, Tracer } from '../engine/ports.ts';
import type { TraceContext } from '../schemas/trace-context.ts';
import { ATTRIBUTES, SCHEMA_URL, SYSTEM } from './conventions.ts';

export interface TracerOptions {
  version: string;
  logger: Logger;
  /** Takes the secrets out of a text. */
  mask: (text: string) => string;
}

export interface SdkTracer extends Tracer {
  /** Resolves when the SDK has sent on every span that has ended; rejects when it cannot. */
  readonly flush: () => Promise<void>;
}

/** A tracer for the SDK that is registered; undefined when none is, so that nobody asks for spans that nobody gets. */
export function createTracer(options: TracerOptions, provider = trace.getTracerProvider()): SdkTracer | undefined {
  // Without an SDK the API answers with a proxy of a provider that does nothing.
  const sdk = (provider as Partial<ProxyTracerProvider>).getDelegate?.() ?? provider;
  return sdk === new ProxyTracerProvider().getDelegate() ? undefined : new OpenTelemetryTracer(sdk, options);
}

/** SDKs collect spans for a while; the API does not know how to ask for them. */
type Flushing = TracerProvider & { forceFlush?: () => Promise<void> };

class OpenTelemetryTracer implements SdkTracer {
  private readonly sdk: Flushing;
  private readonly tracer: OtelTracer;
  private readonly options: TracerOptions;
  private hasFailed = false;

  constructor(sdk: Flushing, options: TracerOptions) {
    this.sdk = sdk;
    this.tracer = sdk.getTracer('sluice', options.version, { schemaUrl: SCHEMA_URL });
    this.options = options;
  }

  readonly flush = async (): Promise<void> => {
    try {
      await this.sdk.forceFlush?.();
    } catch (error) {
      // One of each processor.
      const errors: unknown[] = Array.isArray(error) ? error : [error];
      throw new Error(this.options.mask(errors.map(String).join('; ')));
    }
  };

  send({ pipeline, feedId }: { pipeline: string; feedId: string }, from: TraceContext | null): SendSpan | null {
    const attributes = {
      ...operation('send', 'send', pipeline),
      [ATTRIBUTES.pipeline]: pipeline,
      [ATTRIBUTES.feedId]: this.options.mask(feedId),
    };
    const span = this.begin(`send ${pipeline}`, SpanKind.PRODUCER, attributes, [], from);
    if (span === null) return null;
    return {
      ...span,
      end: ({ accepted, duplicates, error }) =>
        span.end({ [ATTRIBUTES.messageCount]: accepted, ...(duplicates > 0 && { [ATTRIBUTES.duplicates]: duplicates }) }, error),
    };
  }

  process({ pipeline, stage, worker, itemId, feedId, attempt }: TracedItem, sentBy: TraceContext | null): ProcessSpan | null {
    const { mask } = this.options;
    const destination = `${pipeline}/${stage}`;
    const attributes = {
      ...operation('process', 'process', destination),
      [ATTRIBUTES.client]: worker,
      [ATTRIBUTES.messageId]: mask(itemId),
      [ATTRIBUTES.pipeline]: pipeline,
      [ATTRIBUTES.stage]: stage,
      [ATTRIBUTES.feedId]: mask(feedId),
      [ATTRIBUTES.attempt]: attempt,
    };
    return this.processing(`process ${destination}`, attributes, sentBy === null ? [] : [sentBy]);
  }

  done(
    { pipeline, feedId, items }: { pipeline: string; feedId: string; items: number },
    sentBy: readonly TraceContext[],
  ): ProcessSpan | null {
    const attributes = {
      ...operation('done', 'process', pipeline),
      [ATTRIBUTES.messageCount]: items,
      [ATTRIBUTES.pipeline]: pipeline,
      [ATTRIBUTES.feedId]: this.options.mask(feedId),
    };
    return this.processing(`done ${pipeline}`, attributes, sentBy);
  }

  private processing(name: string, attributes: Attributes, sentBy: readonly TraceContext[]): ProcessSpan | null {
    const span = this.begin(name, SpanKind.CONSUMER, attributes, sentBy, null);
    if (span === null) return null;
    return {
      ...span,
      end: ({ kind, error }) =>
        span.end({ [ATTRIBUTES.outcome]: kind }, kind === 'fail' || kind === 'retry' ? (error ?? UNKNOWN_ERROR) : undefined),
    };
  }

  /** Begins a span: of a trace of its own when it has links or nothing to go on from. */
  private begin(name: string, kind: SpanKind, attributes: Attributes, sentBy: readonly TraceContext[], from: TraceContext | null) {
    return this.guarded(() => {
      const parent = kind === SpanKind.CONSUMER ? ROOT_CONTEXT : parentOf(from);
      const links = sentBy.map((sent): Link => ({ context: spanContextOf(sent) }));
      return this.wrap(this.tracer.startSpan(name, { kind, attributes, links }, parent));
    });
  }

  private wrap(span: OtelSpan) {
    const within = trace.setSpan(ROOT_CONTEXT, span);
    const end = (attributes: Attributes, error: TracedError | undefined): void => {
      this.guarded(() => {
        span.setAttributes(attributes);
        if (error !== undefined) {
          span.setAttribute(ATTRIBUTES.errorType, error.type);
          span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
        }
        span.end();
      });
    };
    return {
      context: traceContextOf(span.spanContext()),
      within: <T>(work: () => T): T => context.with(within, work),
      end,
    } satisfies Span & { end: unknown };
  }

  /** Processors, samplers and exporters are somebody else's code. */
  private guarded<T>(make: () => T): T | null {
    try {
      return make();
    } catch (error) {
      if (!this.hasFailed) {
        const { name, message } = error instanceof Error ? error : { name: 'NonError', message: String(error) };
        const told = { type: name, message: this.options.mask(message) };
        this.options.logger.error({ error: told }, 'the OpenTelemetry SDK threw; spans are missing, and the items are not affected');
      }
      this.hasFailed = true;
      return null;
    }
  }
}

const UNKNOWN_ERROR: TracedError = { type: '_OTHER', message: '' };

function operation(name: string, type: 'send' | 'process', destination: string): Attributes {
  return {
    [ATTRIBUTES.system]: SYSTEM,
    [ATTRIBUTES.operationName]: name,
    [ATTRIBUTES.operationType]: type,
    [ATTRIBUTES.destination]: destination,
  };
}

/** The span that is active, as one of an instrumentation of the HTTP server is; else the one that the request names. */
function parentOf(from: TraceContext | null): Context {
  const active = context.active();
  if (trace.getSpan(active) !== undefined) return active;
  return from === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, spanContextOf(from));
}

function spanContextOf({ traceparent, tracestate }: TraceContext): SpanContext {
  const [, traceId, spanId, flags] = traceparent.split('-') as [string, string, string, string];
  return {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, 16),
    isRemote: true,
    ...(tracestate !== undefined && { traceState: createTraceState(tracestate) }),
  };
}

/** null for a span that an SDK did not make, which has no place. */
function traceContextOf(made: SpanContext): TraceContext | null {
  if (!trace.isSpanContextValid(made)) return null;
  const { traceId, spanId, traceFlags, traceState } = made;
  const traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
  const tracestate = traceState?.serialize() ?? '';
  return tracestate === '' ? { traceparent } : { traceparent, tracestate };
}
