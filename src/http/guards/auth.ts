/*
 * Room `guards`: what every request meets before its route: who is asking, from where, whether this is allowed, and what is logged of it.
 *
 * Holds: A route that does not say who may call it cannot be registered. No secret reaches a log or an answer.
 * Refuses: to look at a body, and to answer in a route's place but with a problem.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type PipelineHost, SluiceError } from '../../engine/index.ts';
import type { Clock } from '../../engine/ports.ts';
import type { Scope } from '../../schemas/api-key.ts';
import type { RequestRate } from '../../schemas/request-rate.ts';
import { invalidInput } from '../problems/faults.ts';
import { ANYBODY, type Caller, may, NOBODY } from './caller.ts';
import type { KeyRing } from './key-ring.ts';
import { createRequestRates } from './request-rates.ts';
import type { FoundTicket, TicketHolder, Tickets } from './tickets.ts';

/** Access rules of a route. A route that declares no scope fails at start. */
export interface RouteAccess {
  /** The scope that a key needs; `public` needs no key, `any` a key with any scope. */
  scope?: Scope | 'public' | 'any';
  /**
   * A key with `feed` may call it as well, for what its own feeds hold: for the feed in the address, for the items in the body, or to list
   * those feeds. The first is seen to by the guard, the others by the route.
   */
  own?: 'feed' | 'items' | 'feeds';
  /**
   * The part of a route without a pipeline in its path that a key for some pipelines gets: `all`, the rows `filtered` to its pipelines, or the pipeline in the body if that is
   * one of them (`named`). Otherwise it is refused.
   */
  limited?: 'all' | 'filtered' | 'named';
  /** A single-use ticket in the query, `?ticket=`, admits as well as the key that asked for it. */
  takesTicket?: boolean;
  /** It answers requests for a WebSocket; without one it is a 426 to whoever is let in. */
  upgrades?: boolean;
}

declare module 'fastify' {
  interface FastifyContextConfig extends RouteAccess {}
  interface FastifyRequest {
    caller: Caller;
    /** Admits the request instead of a key; whoever opens the stream uses it up. */
    ticket: FoundTicket | null;
  }
  interface FastifyInstance {
    /** Every route that declares it, for the page that lists them. */
    routeAccess: readonly DeclaredAccess[];
  }
}

export interface DeclaredAccess extends RouteAccess {
  method: string;
  url: string;
}

/** `slc_<name>_<secret>` */
const BEARER = /^Bearer +(slc_([A-Za-z0-9-]{1,64})_[\x21-\x7e]{16,512})$/i;

export interface GuardOptions {
  keys: KeyRing;
  tickets: Tickets;
  openPrefix: string;
  host: PipelineHost;
  clock: Clock;
  /** The rate for keys that have none of their own. */
  maxRequestsPerKey: RequestRate | undefined;
}

/**
 * Says of each request who sent it, and lets only those through who may: `Authorization: Bearer slc_<name>_<secret>`. Without keys everything
 * passes; then the configuration has seen to it that only this machine, or a network that others guard, can ask.
 *
 * A key is found by its name and compared by its SHA-256 in constant time. What begins with `openPrefix` (the pages that describe the API,
 * which a browser asks for without a key) is open. A pipeline that a key is not for is to it as one that is not there. A ticket stands for the key that asked
 * for it, by what that key may do at the moment in which it is used.
 */
export function guard(app: FastifyInstance, { keys, tickets, openPrefix, host, clock, maxRequestsPerKey }: GuardOptions): void {
  const isOpen = (url: string | undefined): boolean => url === openPrefix || url?.startsWith(`${openPrefix}/`) === true;

  const declared: DeclaredAccess[] = [];
  app.decorate('routeAccess', declared);
  app.addHook('onRoute', ({ method, url, config }) => {
    if (isOpen(url)) return;
    const { scope, own, limited, upgrades } = config ?? {};
    if (scope === undefined) throw new Error(`${method} ${url} declares no scope`);
    for (const name of [method].flat())
      declared.push({ method: name, url, scope, ...(own && { own }), ...(limited && { limited }), ...(upgrades && { upgrades }) });
  });
  app.decorateRequest('caller', null as never);
  app.decorateRequest('ticket', null);
  app.decorateRequest('claimedKey', null);
  const isOpenToAll = keys.current.length === 0;

  function callerOf(request: FastifyRequest): Caller {
    if (isOpenToAll) return ANYBODY;
    const [, token = '', name] = BEARER.exec(request.headers.authorization ?? '') ?? [];
    const sha256Hex = createHash('sha256').update(token).digest('hex');
    return callerWith({ name: name ?? '', sha256Hex }, 'the request carries no known key');
  }

  /** RFC 6750 section 2: a request that is authenticated in more than one way is not valid. Other schemes are a proxy's business. */
  function callerByTicket(request: FastifyRequest, ticket: unknown): Caller {
    const { headers, params } = request;
    if (/^Bearer /i.test(headers.authorization ?? '')) {
      throw invalidInput('querystring', [{ path: '/ticket', message: 'must not be sent together with a key' }]);
    }
    const { id = null } = (params ?? {}) as { id?: string };
    if (typeof ticket !== 'string') throw new SluiceError('invalid-ticket', 'the query holds more than one ticket');
    request.ticket = tickets.find(ticket, id);
    return isOpenToAll ? ANYBODY : callerWith(request.ticket.holder, 'the key that the ticket was issued to is no longer known');
  }

  /** The caller with this key. Several keys may share a name, so that one can be replaced while the other is still in use. */
  function callerWith({ name, sha256Hex }: TicketHolder, unknown: string): Caller {
    const key = keys.current
      .filter((candidate) => candidate.name === name)
      .find((candidate) => timingSafeEqual(Buffer.from(candidate.sha256Hex, 'hex'), Buffer.from(sha256Hex, 'hex')));
    if (key === undefined) throw new SluiceError('unauthenticated', unknown);
    if (key.expiresAt !== undefined && key.expiresAt <= clock.now()) {
      throw new SluiceError('unauthenticated', `the key "${key.name}" has expired`);
    }
    const { pipelines = null, feedOptions = new Set(), scopes, requests, expiresAt = null } = key;
    return { name, sha256Hex, scopes, pipelines, feedOptions, key, expiresAt, ...(requests && { requests }) };
  }

  const count = createRequestRates(clock);
  function countRequest({ name, requests = maxRequestsPerKey }: Caller, reply: FastifyReply): SluiceError | undefined {
    return requests === undefined || name === '' ? undefined : count(name, requests, reply);
  }

  app.addHook('onRequest', (request, reply, done) => {
    const { config, url } = request.routeOptions;
    const isPublic = config.scope === 'public' || isOpen(url);
    const { ticket } = request.query as { ticket?: unknown };
    const asksByTicket = config.takesTicket === true && ticket !== undefined;
    let fault: SluiceError | undefined;
    try {
      request.caller = asksByTicket ? callerByTicket(request, ticket) : callerOf(request);
      fault = isPublic ? undefined : (countRequest(request.caller, reply) ?? refusal(request, request.caller));
    } catch (error) {
      request.caller = NOBODY;
      if (!isPublic) {
        request.claimedKey = BEARER.exec(request.headers.authorization ?? '')?.[2] ?? null;
        fault = error as SluiceError;
      }
    }
    done(fault);
  });

  app.addHook('preHandler', async ({ caller, params, routeOptions: { config } }) => {
    if (config.own !== 'feed' || may(caller, config.scope as Scope)) return;
    const { id, feedId } = params as { id: string; feedId: string };
    const maker = await host.get(id).feedMaker(feedId);
    if (maker === caller.name) return;
    // A key must not learn that a feed it may not see exists.
    throw may(caller, 'read') ? lacks(caller, config.scope as Scope) : new SluiceError('feed-not-found', `no feed "${feedId}"`);
  });
}

function refusal({ params, routeOptions: { config } }: FastifyRequest, caller: Caller): SluiceError | undefined {
  // Nothing has such an address, or it takes no such method; that is not for everybody to know, but for who has a key.
  if (config.scope === undefined) return undefined;
  const isEnough = config.scope === 'any' || may(caller, config.scope as Scope) || (config.own !== undefined && may(caller, 'feed'));
  if (!isEnough) return lacks(caller, config.scope as Scope);
  const { pipelines } = caller;
  if (pipelines === null) return undefined;
  const { id } = (params ?? {}) as { id?: string };
  if (id !== undefined) return pipelines.has(id) ? undefined : new SluiceError('pipeline-not-found', `no pipeline "${id}"`);
  if (config.scope === 'any' || config.limited !== undefined) return undefined;
  return new SluiceError(
    'forbidden',
    `the key "${caller.name}" is for ${pipelines.size} pipelines only, and this request concerns all of them`,
  );
}

function lacks({ name }: Caller, scope: Scope): SluiceError {
  return new SluiceError('forbidden', `the key "${name}" lacks the scope "${scope}"`);
}
