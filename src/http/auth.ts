import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SluiceError } from '../engine/index.ts';
import type { ApiKey, Scope } from '../schemas/api-key.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key needs for this route; `public` asks for none. Without it: `read` for GET, else `admin`. */
    scope?: Scope | 'public';
  }
}

/** `slc_<name>_<secret>` */
const BEARER = /^Bearer +(slc_([A-Za-z0-9-]{1,64})_[\x21-\x7e]{16,512})$/i;

/**
 * Lets only requests with a key of the list through: `Authorization: Bearer slc_<name>_<secret>`. Without keys everything passes;
 * then the configuration has seen to it that only this machine, or a network that others guard, can ask.
 *
 * A key is found by its name and compared by its SHA-256 in constant time. A route that says nothing of its scope is for `read`
 * when it only looks, else for `admin`, so that one that was forgotten is closed rather than open. What begins with `openPrefix`
 * (the pages that describe the API, which a browser asks for without a key) is open.
 */
export function guard(app: FastifyInstance, keys: readonly ApiKey[], openPrefix: string, now: () => number = Date.now): void {
  if (keys.length === 0) return;
  app.addHook('onRequest', (request, reply, done) => {
    const { config, url } = request.routeOptions;
    const scope = config.scope ?? (isLooking(request) ? 'read' : 'admin');
    if (scope === 'public' || url?.startsWith(openPrefix) === true) {
      done();
      return;
    }
    const error = refusal(request, scope, keys, now());
    if (error?.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer realm="sluice"');
    done(error);
  });
}

/** The name of the key that a request came with; empty without one. To be asked only after the guard has let the request through. */
export function callerName({ headers }: FastifyRequest): string {
  return BEARER.exec(headers.authorization ?? '')?.[2] ?? '';
}

function isLooking({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

function refusal(request: FastifyRequest, scope: Scope, keys: readonly ApiKey[], now: number): SluiceError | undefined {
  const [, token = '', name] = BEARER.exec(request.headers.authorization ?? '') ?? [];
  const digest = createHash('sha256').update(token).digest();
  // Several keys may share a name, so that one can be replaced while the other is still in use.
  const key = keys
    .filter((candidate) => candidate.name === name)
    .find(({ sha256Hex }) => timingSafeEqual(Buffer.from(sha256Hex, 'hex'), digest));
  if (key === undefined) return new SluiceError('unauthenticated', 'the request has no key that is known here');
  if (key.expiresAt !== undefined && key.expiresAt <= now) return new SluiceError('unauthenticated', `the key "${key.name}" has expired`);
  if (!key.scopes.has(scope) && !key.scopes.has('admin')) {
    return new SluiceError('forbidden', `the key "${key.name}" lacks the scope "${scope}"`);
  }
  if (key.pipelines === undefined) return undefined;
  const id = (request.params as { id?: string } | undefined)?.id;
  if (id !== undefined && key.pipelines.has(id)) return undefined;
  return new SluiceError('forbidden', `the key "${key.name}" is for ${key.pipelines.size} pipelines, and this is none of them`);
}
