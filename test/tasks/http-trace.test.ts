/** The place in a trace that `http_request` and `http_notify` send on. */
import { afterAll, describe, expect, it } from 'vitest';
import { httpNotify } from '../../tasks/http_notify.ts';
import { httpRequest } from '../../tasks/http_request.ts';
import { createHttpClient } from '../../tasks/kit/http-client.ts';
import { serve, type TestServer } from './http-server.ts';
import { use } from './running.ts';

const client = createHttpClient({ allowHosts: ['127.0.0.1'] });
let isInstrumented = true;
const observed = createHttpClient({ allowHosts: ['127.0.0.1'], isInstrumented: () => isInstrumented });
afterAll(() => Promise.all([client.close(), observed.close()]));
const task = httpRequest(client);

const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'v=1' };

/** What the server was sent of a trace, by request. */
function seenBy({ seen }: TestServer): unknown[] {
  return seen.map(({ headers: { traceparent, tracestate } }) => ({ traceparent, tracestate }));
}
const nothing = { traceparent: undefined, tracestate: undefined };

describe('the place of an attempt in a trace', () => {
  it('is sent along by http_request and http_notify, and nothing where there is none', async () => {
    const server = await serve((_request, reply) => reply.end());
    await use(task, { url: server.origin, headers: { 'x-a': 'b' } }, { trace })(null);
    await use(task, { url: server.origin }, { trace: { traceparent: trace.traceparent } })(null);
    await use(task, { url: server.origin }, { trace: null })(null);
    const notify = httpNotify(client);
    const params = notify.parseParams({ url: server.origin });
    const info = { sequenceId: 1, feedId: 'f', stage: 'A', attempts: 1, metadata: {} };
    await notify.prepare?.(params)('x', 1, info, { pipeline: 'p', params, logger: console, trace });
    expect(seenBy(server)).toEqual([trace, { ...nothing, traceparent: trace.traceparent }, nothing, trace]);
  });

  it.each(['traceparent', 'TraceParent', 'tracestate'])('does not replace or mix with a %s of the definition', async (name) => {
    const server = await serve((_request, reply) => reply.end());
    await use(task, { url: server.origin, headers: { [name]: 'own' } }, { trace })(null);
    expect(seenBy(server)).toEqual([{ ...nothing, [name.toLowerCase()]: 'own' }]);
  });

  it('goes along with redirects within the origin, and never to another one', async () => {
    const other = await serve((_request, reply) => reply.end());
    const first = await serve(({ url }, reply) => {
      reply.writeHead(302, { location: url === '/' ? '/again' : other.origin }).end();
    });
    await use(task, { url: first.origin }, { trace })(null);
    expect(seenBy(first)).toEqual([trace, trace]);
    expect(seenBy(other)).toEqual([nothing]);
  });

  it('is left to the instrumentation of the client where there is one', async () => {
    const server = await serve((_request, reply) => reply.end());
    const send = use(httpRequest(observed), { url: server.origin }, { trace });
    await send(null);
    isInstrumented = false;
    await send(null);
    expect(seenBy(server)).toEqual([nothing, trace]);
  });
});
