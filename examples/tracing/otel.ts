/**
 * Registers an OpenTelemetry SDK before the service starts, as `node --import ./examples/tracing/otel.ts src/server.ts` does. This one keeps the spans in
 * memory and writes them to SPANS_FILE when the service ends; elsewhere, an exporter for OTLP takes its place.
 */
import { writeFile } from 'node:fs/promises';
import { isMainThread } from 'node:worker_threads';
import { InMemorySpanExporter, NodeTracerProvider, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-node';

class FileExporter extends InMemorySpanExporter {
  /** Called by the service before it ends; nothing of a listener for `exit` would be sure to run. */
  override async forceFlush(): Promise<void> {
    const { SPANS_FILE } = process.env;
    if (SPANS_FILE !== undefined) await writeFile(SPANS_FILE, this.getFinishedSpans().map(line).join(''));
  }
}

// The service's threads load this file as well, and make no spans.
if (isMainThread) new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(new FileExporter())] }).register();

/** What the example shows of a span. */
function line(span: ReadableSpan): string {
  const { name, kind, status, attributes, parentSpanContext } = span;
  const { traceId, spanId } = span.spanContext();
  const links = span.links.map(({ context }) => ({ traceId: context.traceId, spanId: context.spanId }));
  return `${JSON.stringify({ name, kind, traceId, spanId, parent: parentSpanContext?.spanId ?? null, links, status, attributes })}\n`;
}
