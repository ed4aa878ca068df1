import type { Readable } from 'node:stream';
import type { FastifyContentTypeParser, FastifyRequest } from 'fastify';
import { SluiceError } from '../../engine/index.ts';
import type { Clock } from '../../engine/ports.ts';
import { createDeadlines, type Deadlines } from './deadlines.ts';
import { ClientGoneError } from './read-waiter.ts';

/** Such a body is small (it has a limit), so its whole arrival has a deadline; NDJSON has an idle timer of its own instead. */
const ARRIVAL_SECONDS = 60;

/** A parser for bodies that are read into memory before anything is made of them: at most as many bytes as the route takes, within a minute. */
export function wholeBodies(clock: Clock, parse: (body: Buffer, request: FastifyRequest) => unknown): FastifyContentTypeParser {
  const deadlines = createDeadlines(clock, ARRIVAL_SECONDS * 1000);
  return (request, body, done) => {
    // A route that declares no body answers without one.
    if (request.routeOptions.schema?.body === undefined) {
      done(null, undefined);
      return;
    }
    const maxBytes = request.routeOptions.bodyLimit;
    if (Number(request.headers['content-length']) > maxBytes) {
      done(tooLarge(maxBytes));
      return;
    }
    readWhole(body, maxBytes, deadlines, (error, bytes) => {
      if (error !== null) {
        done(error);
        return;
      }
      let value: unknown;
      try {
        value = parse(bytes, request);
      } catch (fault) {
        done(fault as Error);
        return;
      }
      done(null, value);
    });
  };
}

/**
 * Reads a body into memory. `done` is called once: with the bytes, or with `body-too-large`, `request-timeout`, or
 * {@link ClientGoneError}. No listener is left behind.
 */
function readWhole(body: Readable, maxBytes: number, deadlines: Deadlines, done: (error: Error | null, bytes: Buffer) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > maxBytes) end(tooLarge(maxBytes));
    else chunks.push(chunk);
  };
  const onEnd = (): void => end(null);
  // A request that breaks off never ends. Its error is heard here, and `close` in case that it has none.
  const onBroken = (cause?: Error): void => end(new ClientGoneError('The client disconnected before the body was complete', { cause }));
  const disarm = deadlines.arm(() => end(new SluiceError('request-timeout', `The body did not arrive within ${ARRIVAL_SECONDS} s.`)));

  function end(error: Error | null): void {
    disarm();
    body.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
    if (error !== null) done(error, NOTHING);
    else done(null, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes));
  }

  body.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
}

const NOTHING = Buffer.alloc(0);

function tooLarge(maxBytes: number): SluiceError {
  return new SluiceError('body-too-large', `The body is larger than ${maxBytes} bytes.`);
}
