import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '../../engine/index.ts';
import { pathOf } from '../problems/path-of.ts';

/**
 * Answers what no route takes: 405 with `Allow` (RFC 9110 section 15.5.6) when the address takes other methods, else 404; at once,
 * whatever body comes with it. MUST be called before the routes are registered, because it collects them.
 */
export function answerUnknownRoutes(app: FastifyInstance): void {
  const methods = new Map<string, Set<string>>();
  let patterns: [RegExp, Set<string>][] | undefined;

  app.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set();
    for (const name of [method].flat()) known.add(name);
    methods.set(url, known);
  });

  function allowed(path: string): string[] {
    patterns ??= [...methods].map(([url, names]) => [patternOf(url), names]);
    const found = patterns.flatMap(([pattern, names]) => (pattern.test(path) ? [...names] : []));
    return [...new Set(found)].sort();
  }

  function refusal(request: FastifyRequest, reply: FastifyReply): SluiceError {
    const path = pathOf(request.url);
    const others = allowed(path);
    // A route of files takes the method and has no such file.
    if (others.length === 0 || others.includes(request.method))
      return new SluiceError('not-found', `There is no route ${request.method} ${path}.`);
    reply.header('allow', others.join(', '));
    return new SluiceError('method-not-allowed', `${path} accepts ${others.join(', ')}, not ${request.method}.`);
  }

  app.addHook('onRequest', (request, reply, done) => done(request.is404 ? refusal(request, reply) : undefined));
  // Also for a route that finds out by itself that there is nothing.
  app.setNotFoundHandler((request: FastifyRequest, reply: FastifyReply) => {
    throw refusal(request, reply);
  });
}

/** `/pipelines/:id/stats` as an expression over paths. */
function patternOf(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part.startsWith(':')) return '[^/]+';
    return part === '*' ? '.*' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('/')}$`);
}
