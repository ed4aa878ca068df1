import type { FastifyInstance, FastifyRequest } from 'fastify';

/**
 * Says on every page of a list where the next one is, as `Link: <…>; rel="next"` (RFC 8288): the same address with the cursor of
 * `nextCursor`. It is relative to what was asked for, so that it holds behind a proxy too.
 */
export function linkNextPages(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (!isList(route.schema?.querystring)) return;
    route.preSerialization = [
      ...[route.preSerialization ?? []].flat(),
      async (request, reply, payload) => {
        const cursor = (payload as { nextCursor?: unknown } | null)?.nextCursor;
        if (typeof cursor === 'string') reply.header('link', `<${nextOf(request, cursor)}>; rel="next"`);
        return payload;
      },
    ];
  });
}

function isList(query: unknown): boolean {
  const shape = (query as { shape?: Record<string, unknown> } | undefined)?.shape;
  return shape !== undefined && 'cursor' in shape;
}

function nextOf({ url }: FastifyRequest, cursor: string): string {
  const [path, query] = url.split('?', 2) as [string, string?];
  const params = new URLSearchParams(query);
  params.set('cursor', cursor);
  return `${path}?${params}`;
}
