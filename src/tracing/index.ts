import { channel } from 'node:diagnostics_channel';
import type { SdkTracer, TracerOptions } from './otel-tracer.ts';

export type { SdkTracer };

/** Where whoever registers an SDK leaves it for every copy of OpenTelemetry's API, of whatever version 1 it is. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');

/**
 * The tracer for the OpenTelemetry SDK that is registered by now; undefined when none is. The API is loaded only if there is something behind it: loading it
 * takes some hundredths of a second of each start.
 */
export async function findTracer(options: TracerOptions): Promise<SdkTracer | undefined> {
  if (!(REGISTERED in globalThis)) return undefined;
  const { createTracer } = await import('./otel-tracer.ts');
  return createTracer(options);
}

/** Whether something observes the requests of undici: beside an SDK, its instrumentation, which makes spans of them and adds their `traceparent`. */
export function isUndiciInstrumented(): boolean {
  return channel('undici:request:create').hasSubscribers;
}
