import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { weightsOf } from './accept.ts';

/** Shorter documents fit into one packet or two either way. */
export const COMPRESSED_FROM_BYTES = 2048;
/** Brotli's default takes about twenty times as long as this for a tenth less. */
const BROTLI_QUALITY = 4;
const GZIP_LEVEL = 5;

type Coding = 'br' | 'gzip';

const compressors: Readonly<Record<Coding, (text: string | Buffer) => Promise<Buffer>>> = {
  br: (text) =>
    promisify(brotliCompress)(text, {
      params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY, [constants.BROTLI_PARAM_SIZE_HINT]: text.length },
    }),
  gzip: (text) => promisify(gzip)(text, { level: GZIP_LEVEL }),
};

/**
 * Compresses JSON documents that are read (`GET`, `HEAD`), where `Accept-Encoding` asks for it, in the threads of zlib and not in the event loop. Streams are
 * never compressed: what zlib holds back would be late, and each stream would take hundreds of kilobytes. Answers to requests that change something are small.
 *
 * A secret beside a text of the asker's choice could be found out by the length of both together (BREACH). No document holds a secret: keys and tickets are in
 * none, and those of definitions are masked.
 */
export function compressDocuments(app: FastifyInstance): void {
  // Not an async function: every other answer would be a turn of microtasks later.
  app.addHook('onSend', (request, reply, payload, done) => {
    if (!mayBeCompressed(request, reply, payload)) {
      done(null, payload);
      return;
    }
    reply.header('vary', 'Accept-Encoding');
    const coding = codingOf(request);
    if (coding === undefined) {
      done(null, payload);
      return;
    }
    compressors[coding](payload).then((compressed) => {
      reply.removeHeader('content-length').header('content-encoding', coding);
      done(null, compressed);
    }, done);
  });
}

function mayBeCompressed({ method }: FastifyRequest, reply: FastifyReply, payload: unknown): payload is string | Buffer {
  if (method !== 'GET' && method !== 'HEAD') return false;
  if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return false;
  if (reply.statusCode !== 200 || !/^application\/json\b/.test(String(reply.getHeader('content-type')))) return false;
  return !reply.hasHeader('content-encoding') && Buffer.byteLength(payload) >= COMPRESSED_FROM_BYTES;
}

/** The coding that a client prefers (RFC 9110 section 12.5.3), brotli if it has no preference; undefined: none. */
function codingOf({ headers }: FastifyRequest): Coding | undefined {
  const given = headers['accept-encoding'];
  if (given === undefined) return undefined;
  const weights = weightsOf(String(given));
  const rest = weights.get('*') ?? 0;
  const br = weights.get('br') ?? rest;
  const zip = weights.get('gzip') ?? weights.get('x-gzip') ?? rest;
  // Not compressed is always good enough, but only preferred where that is said.
  const plain = weights.get('identity') ?? 0;
  const best = Math.max(br, zip);
  if (best === 0 || plain > best) return undefined;
  return br === best ? 'br' : 'gzip';
}
