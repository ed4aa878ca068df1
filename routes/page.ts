import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '../src/engine/index.ts';
import { may, sees } from '../src/http/guards/caller.ts';
import { PAGE_CSP, type PageFile } from '../src/http/page/built-page.ts';
import { originOf, pasteLines } from '../src/http/page/paste-lines.ts';
import { weightsOf } from '../src/http/routing/accept.ts';
import { toSummary } from '../src/http/routing/pipeline-view.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';

/** Browsers name it; curl and the like take anything, which a text serves better. */
function wantsPage({ headers }: FastifyRequest): boolean {
  return (weightsOf(headers.accept ?? '').get('text/html') ?? 0) > 0;
}

/** Sends a file in the smallest of the codings that its client takes, or says that what the client has is still good. */
function sendFile(request: FastifyRequest, reply: FastifyReply, file: PageFile): FastifyReply {
  reply.header('etag', file.etag).header('vary', 'Accept, Accept-Encoding').type(file.type);
  const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (known?.includes(file.etag)) return reply.code(304).send();
  const weights = weightsOf(String(request.headers['accept-encoding'] ?? ''));
  for (const coding of ['br', 'gzip'] as const) {
    const coded = file[coding];
    if (coded !== undefined && (weights.get(coding) ?? 0) > 0) return reply.header('content-encoding', coding).send(coded);
  }
  return reply.send(file.identity);
}

/** The page for browsers, its files, and a text for terminals. They need no key: what the page shows, it asks for with one. */
const page: FastifyPluginAsync<RouteDeps> = async (app, { host, page: built, version, needsKey }) => {
  app.get(
    '/',
    // The page is the same at every node. The text is about pipelines, which the owner alone has.
    { schema: { hide: true }, config: { scope: 'public', everyNode: wantsPage, whileStarting: wantsPage } },
    async (request, reply) => {
      if (built !== null && wantsPage(request)) {
        return sendFile(request, reply.header('content-security-policy', PAGE_CSP).header('cache-control', 'no-cache'), built.document);
      }
      const { caller, headers } = request;
      const isKnown = !needsKey || may(caller, 'read');
      const pipelines = isKnown ? (await host.list()).filter(({ definition }) => sees(caller, definition.id)).map(toSummary) : [];
      const forwarded = headers['x-forwarded-proto'];
      const origin = originOf(headers.host, typeof forwarded === 'string' ? forwarded : undefined);
      const text = pasteLines({ origin, version, needsKey, isKnown, pipelines, hasPage: built !== null });
      return reply.header('vary', 'Accept').type('text/plain; charset=utf-8').send(text);
    },
  );

  app.get<{ Params: { file: string } }>(
    '/assets/:file',
    { schema: { hide: true }, config: { scope: 'public', everyNode: true, whileStarting: true } },
    async (request, reply) => {
      const file = built?.assets.get(request.params.file);
      if (file === undefined) throw new SluiceError('not-found', `the page has no file "${request.params.file}"`);
      // Its name holds a digest of what is in it.
      return sendFile(request, reply.header('cache-control', 'public, max-age=31536000, immutable'), file);
    },
  );
};
export default page;
