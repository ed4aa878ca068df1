import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SluiceError } from '../../engine/index.ts';

/**
 * Refuses what a web page of another origin makes a browser send. Without this, any page that is open on the machine could feed or
 * stop a service on loopback: a POST without a body needs no leave from CORS. Browsers say where a request comes from
 * (`Sec-Fetch-Site`, or `Origin` in older ones) and pages cannot change it; other clients send neither and are not concerned.
 */
export function refuseCrossSite(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    const isSafe = request.method === 'GET' || request.method === 'HEAD' || request.method === 'OPTIONS';
    if (isSafe || !comesFromElsewhere(request)) done();
    else done(new SluiceError('cross-site-request', 'the request was sent by a web page of another origin'));
  });
}

function comesFromElsewhere({ headers }: FastifyRequest): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const { origin, host } = headers;
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host;
}
