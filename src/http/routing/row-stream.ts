import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type PipelineResult, resultSchema } from '../../schemas/item.ts';
import type { FollowedEventName, RunEventName } from '../../schemas/messages.ts';
import type { ErrorSummary } from '../../schemas/stats.ts';
import { pathOf } from '../problems/path-of.ts';
import { toProblem, toSluiceError } from '../problems/problem.ts';
import { noteRefusal } from '../problems/refusals.ts';
import { NDJSON } from '../schemas/route-schemas.ts';
import { compileWriter } from '../schemas/schema-compiler.ts';
import { COMMENT_FRAME, jsonFrame } from '../sse/frame.ts';
import type { RowForm } from './accept.ts';
import { CHUNK, chunked } from './lists.ts';

/** A step of a stream of results; one of the other kinds may follow the last results. */
export type RowStep =
  | { results: readonly PipelineResult[] }
  /** The end of all went well. Lines of NDJSON are results; they tell of the end only if there were duplicates. */
  | { summary: { feedId: string; duplicates: number; errorSummary: ErrorSummary } }
  /** The time was up; how the feed was then. */
  | { pending: unknown }
  /** The end of the results of a feed that was followed, and what tells how it is then. Lines just end. */
  | { feed: () => Promise<unknown> };

type StepName = RunEventName | FollowedEventName;

interface RowStreamOptions {
  form: RowForm;
  /** Aborts when there is nobody left to send to. */
  signal: AbortSignal;
  heartbeatSeconds: number;
}

/**
 * Sends results as they come, as fast as the client reads. The head goes out at once, so from here on a fault cannot be a status:
 * it is the last line, `{"problem": {…}}`, or the last event, `problem`.
 */
export function sendRows(
  request: FastifyRequest,
  reply: FastifyReply,
  steps: AsyncIterable<RowStep>,
  { form, signal, heartbeatSeconds }: RowStreamOptions,
): FastifyReply {
  const writeResult = compileWriter(resultSchema);
  const write = form === 'sse' ? (name: StepName, json: string) => jsonFrame(name, json) : writeLine;

  async function* text(): AsyncGenerator<string> {
    reply.raw.flushHeaders();
    const heartbeat = form === 'sse' ? beat(reply, heartbeatSeconds) : undefined;
    try {
      for await (const step of steps) {
        if ('results' in step) yield* chunked(step.results, (result) => write('result', writeResult(result)));
        else if ('pending' in step) yield write('pending', JSON.stringify(step.pending));
        else if ('feed' in step) {
          if (form === 'sse') yield write('feed', JSON.stringify(await step.feed()));
        } else if (form === 'sse' || step.summary.duplicates > 0) yield write('summary', JSON.stringify(step.summary));
      }
    } catch (thrown) {
      if (signal.aborted) return;
      const error = toSluiceError(thrown);
      request.problemCode = error.code;
      noteRefusal(request, error.code);
      if (error.code === 'internal-error') request.log.error({ err: error.cause ?? error }, 'a stream of results failed');
      yield write('problem', JSON.stringify(toProblem(error, pathOf(request.url), request.id)));
    } finally {
      clearInterval(heartbeat);
    }
  }

  return reply
    .type(form === 'sse' ? 'text/event-stream' : NDJSON)
    .header('cache-control', 'no-store, no-transform')
    .header('x-accel-buffering', 'no')
    .send(Readable.from(text(), { objectMode: false, highWaterMark: CHUNK }));
}

function writeLine(name: StepName, json: string): string {
  return name === 'result' ? `${json}\n` : `{"${name}":${json}}\n`;
}

/** A comment between two events now and then keeps proxies from closing a silent connection; nothing is queued for a slow reader. */
function beat({ raw }: FastifyReply, seconds: number): NodeJS.Timeout {
  return setInterval(() => {
    if (!raw.writableNeedDrain && !raw.writableEnded) raw.write(COMMENT_FRAME);
  }, seconds * 1000).unref();
}
