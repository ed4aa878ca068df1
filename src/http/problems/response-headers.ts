import type { FastifyReply, FastifyRequest } from 'fastify';

/** For answers that are data: a browser shows none of them in a frame, and takes none for a script or a page. */
export const SECURITY_HEADERS = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
} as const;

/**
 * For the reference page, in a form that @fastify/swagger-ui sends on: its scripts and styles are files of this service, and it asks
 * this service alone. Its images of arrows are data URLs.
 */
export const DOCS_CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The description of the API and its page are the same for everybody, and files. All else is data of the moment, or of one caller. */
const MAY_BE_KEPT = /^\/(?:docs|openapi[.]json)(?:\/|$)/;

/** Sets the headers of every answer, including one that ends before a route is found. */
export function setCommonHeaders(request: FastifyRequest, reply: FastifyReply): void {
  reply.header('x-request-id', request.id);
  // Also refusals: a cache may keep a 404, a 405 or a 410 without being told to (RFC 9110 section 15.1).
  if (!MAY_BE_KEPT.test(request.routeOptions?.url ?? '')) reply.header('cache-control', 'no-store');
  for (const name in SECURITY_HEADERS) reply.header(name, SECURITY_HEADERS[name as keyof typeof SECURITY_HEADERS]);
}
