import type { ErrorCode } from '../../schemas/problem.ts';
import type { RouteAccess } from '../guards/auth.ts';
import { isRefusedAtTheEnd } from '../guards/closing.ts';

/** The traits of a route that decide which problems it can answer with, whatever it does. */
export interface RouteTraits extends RouteAccess {
  method: string | readonly string[];
  /** With its parameters, as Fastify writes them: `/pipelines/:id/stats`. */
  url: string;
  takesBody: boolean;
  whileStarting?: boolean;
  everyNode?: boolean;
}

const BODY_PROBLEMS = ['malformed-json', 'body-too-large', 'unsupported-media-type', 'request-timeout'] as const;

/** A name in the address that nothing has. */
const NOT_FOUND: readonly (readonly [parameter: string, code: ErrorCode])[] = [
  [':id', 'pipeline-not-found'],
  [':feedId', 'feed-not-found'],
  [':itemId', 'item-not-found'],
  [':stage', 'unknown-stage'],
  [':name', 'limiter-not-found'],
];

/**
 * The problems that a route can answer with because of what it is: who may call it, what its address and body hold, whether it changes
 * something, and something that the store keeps. The only place that knows them; a route lists those of its own (`problems(…)`).
 */
export function inherentProblems({ method, url, scope, takesBody, whileStarting = false, everyNode = false }: RouteTraits): ErrorCode[] {
  const isSafe = [method].flat().every((name) => name === 'GET' || name === 'HEAD');
  const names = url.split('/');
  // Pipelines, their stages and their items are in the store, and changes of limiters; tickets and the process are not. A wait outlasts the trouble or its own time, and a check of a definition keeps nothing.
  const isStored =
    !isSafe && ['pipelines', 'limiters'].includes(names[1] ?? '') && !['wait', 'tickets', 'validate'].includes(names.at(-1) ?? '');
  return [
    'invalid-input',
    'bad-request',
    ...(takesBody ? BODY_PROBLEMS : []),
    ...(scope === 'public' ? [] : (['unauthenticated', 'too-many-requests'] as const)),
    ...(scope === 'public' || scope === 'any' ? [] : (['forbidden'] as const)),
    ...(isSafe ? [] : (['cross-site-request'] as const)),
    ...NOT_FOUND.flatMap(([parameter, code]) => (names.includes(parameter) ? [code] : [])),
    'misdirected-request',
    ...(whileStarting ? [] : (['starting'] as const)),
    ...(everyNode ? [] : (['no-owner', 'owner-lost'] as const)),
    ...(isRefusedAtTheEnd(method, url) ? (['shutting-down'] as const) : []),
    ...(isStored ? (['store-unavailable'] as const) : []),
    'internal-error',
  ];
}
