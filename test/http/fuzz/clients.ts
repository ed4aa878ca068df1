import { Agent, request as send } from 'node:http';
import type { FastifyInstance, InjectOptions } from 'fastify';
import type { Random } from '../../engine/simulation/random.ts';
import type { Client, Reply } from './request.ts';

/** Asks the application in this process; `port` is where it listens for readers of events. */
export function injectClient(app: FastifyInstance, port: number): Client {
  return {
    port,
    async ask({ method, url, headers, body, patienceMs }) {
      const patience = patienceMs === null ? undefined : AbortSignal.timeout(patienceMs);
      const options = {
        method: method as 'GET',
        url,
        headers,
        ...(body !== null && { payload: body }),
        ...(patience && { signal: patience }),
      };
      try {
        const reply = await app.inject(options as InjectOptions);
        return { status: reply.statusCode, headers: textsOf(reply.headers), body: reply.rawPayload };
      } catch (error) {
        if (patience?.aborted === true) return null;
        throw error;
      }
    },
  };
}

/** Nothing that is asked here may take so long: the service stands. */
const SILENCE_MS = 60_000;

/** A smaller body is in the buffers of the socket whole, whatever becomes of it. */
const CUT_BYTES = 32_768;

/** Asks over sockets that are used again, of whichever service is there now; bodies come in pieces, cut anywhere. */
export function socketClient(portNow: () => number, random: Random): Client {
  const agent = new Agent({ keepAlive: true });
  return {
    get port() {
      return portNow();
    },
    ask: ({ method, url, headers, body, patienceMs }) =>
      new Promise((resolve, reject) => {
        let hasHungUp = false;
        const request = send({ port: portNow(), host: '127.0.0.1', method, path: url, headers: lengthOf(body, headers, random), agent });
        const patience = patienceMs === null ? undefined : setTimeout(hangUp, patienceMs);
        const fail = (error: NodeJS.ErrnoException): void => {
          clearTimeout(patience);
          // A large body that is refused unread: the connection is cut under it, and its answer may be lost with that.
          const isCut = (body?.length ?? 0) > CUT_BYTES && ['EPIPE', 'ECONNRESET'].includes(error.code ?? '');
          if (hasHungUp || isCut) resolve(null);
          else reject(new Error(`${method} ${url}: ${error.message}`, { cause: error }));
        };
        request.on('error', fail);
        request.setTimeout(SILENCE_MS, () => request.destroy(new Error(`nothing came for ${SILENCE_MS / 1000} s`)));
        request.on('response', (message) => {
          const chunks: Buffer[] = [];
          message.on('data', (chunk: Buffer) => chunks.push(chunk));
          message.on('error', fail);
          message.on('end', () => {
            clearTimeout(patience);
            resolve({ status: message.statusCode ?? 0, headers: textsOf(message.headers), body: Buffer.concat(chunks) });
          });
        });
        if (body !== null && body.length > 1 && random.chance(0.2)) {
          const cut = random.int(1, body.length - 1);
          request.write(body.subarray(0, cut));
          setImmediate(() => request.end(body.subarray(cut)));
        } else request.end(body ?? undefined);

        function hangUp(): void {
          hasHungUp = true;
          request.destroy();
          resolve(null);
        }
      }),
  };
}

/** With a length, or, now and then, in chunks. */
function lengthOf(body: Buffer | null, headers: Record<string, string>, random: Random): Record<string, string> {
  if (body === null) return headers;
  return random.chance(0.9) ? { ...headers, 'content-length': String(body.length) } : { ...headers, 'transfer-encoding': 'chunked' };
}

function textsOf(headers: Record<string, string | string[] | number | undefined>): Reply['headers'] {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value === undefined ? undefined : String(value)]));
}
