import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { callerGone, SluiceError } from '../../engine/index.ts';
import { type Clock, unref } from '../../engine/ports.ts';
import type { Linger } from '../bodies/lingering.ts';
import { hasBody } from '../bodies/unread-body.ts';
import { type HopSeal, signedOf } from '../guards/hop.ts';
import type { OpenRequests } from '../guards/open-requests.ts';
import { ClientBody, KeptRoom } from './client-body.ts';
import { type ClusterView, NOT_INFORMED, type Owner } from './cluster-view.ts';
import { HopConnections } from './hop-connections.ts';
import { ENDS_HERE, NOT_HERE_HEADER, NOT_OWNED, requestHeaders } from './hop-headers.ts';
import { OwnerConnections } from './owner-connections.ts';
import { Relay, type RelayEnd } from './relay.ts';
import { RelayedBody } from './relayed-body.ts';
import { followServed, ownerLost } from './served.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Each node of a cluster answers for itself, whoever owns: always, or the requests that it says. */
    everyNode?: boolean | ((request: FastifyRequest) => boolean);
  }
  interface FastifyRequest {
    /** The body of a request that was passed on, or was to be; null for one that never was, or has none. */
    clientBody: ClientBody | null;
    /** From here on its body may have been read, and something of it carried out. */
    isBegun: boolean;
  }
}

export interface GatewayOptions {
  view: ClusterView;
  seal: HopSeal;
  takeoverWaitMs: number;
  /** The service ends: what it has begun ends in order, whoever owns by then. */
  isDraining: () => boolean;
  /** Paths that begin with it are about the API, not of it. */
  openPrefix: string;
  requests: OpenRequests;
  linger: Linger;
  clock: Clock;
}

/** The fates of requests that were passed on; a request that is sent again counts each time. */
export interface GatewayCounts {
  readonly relayed: Readonly<Record<RelayEnd, number>>;
  /** Under way now. */
  readonly relaying: number;
  /** Waiting for a node that serves. */
  readonly waiting: number;
}

export interface Gateway extends GatewayCounts {
  /** Resolves when no other node has a connection to this one any more, or does not let go of it. To be awaited while the server still answers. */
  othersGone(): Promise<void>;
}

/** Before the same owner is tried again. */
const AGAIN_MS = 250;
/** A node that owns as of the log may not know it yet. */
const HOP_PATIENCE_MS = 500;
/** An owner that leaves in order has this long to send the rest of its answers. */
const ABANDON_MS = 1000;
/** One that leaves in order tells the others within a fraction of this, unless its log is slow. It is less than the last replies of a service may take. */
const OTHERS_MS = 4000;

const HERE = 'here';
const ANSWERED = 'answered';

/** Passes requests on to the owner while this node does not serve. Call it after the host guard, and before the guard of keys. */
export function passToOwner(app: FastifyInstance, options: GatewayOptions): Gateway {
  const { view, seal, takeoverWaitMs, openPrefix, linger, clock } = options;
  const toOwner = new OwnerConnections();
  const fromOthers = new HopConnections();
  const served = followServed(app, options.requests, view);
  const relays = new Set<Relay>();
  const waiting = new Set<() => void>();
  const room = new KeptRoom();
  const relayed: Record<RelayEnd, number> = { answered: 0, broken: 0, refused: 0, lost: 0, left: 0 };
  let isClosing = false;

  const isOpen = (url: string | undefined): boolean => url === openPrefix || url?.startsWith(`${openPrefix}/`) === true;

  function bodyOf(request: FastifyRequest, reply: FastifyReply): ClientBody | null {
    if (request.clientBody !== null || isRead(request) || !hasBody(request.raw)) return request.clientBody;
    const body = new ClientBody(request.raw, room);
    request.clientBody = body;
    reply.raw.once('close', () => body.release());
    return body;
  }

  /** `ended`: the owner ends, and takes nothing more; nothing of the request was carried out. */
  async function relay(request: FastifyRequest, reply: FastifyReply, owner: Owner): Promise<RelayEnd | 'ended'> {
    const path = pathSent(request.raw.url);
    const body = bodyOf(request, reply);
    const hop = seal.sign({ node: view.name, client: request.ip ?? 'unknown' }, { ...signedOf(request), url: path });
    const one = new Relay({
      ...{ request, reply, path, body, epoch: owner.epoch, origin: owner.url },
      headers: requestHeaders(request.raw.rawHeaders, request.id, hop, body !== null),
      onHead() {
        const isUnread = hasBody(request.raw) && !request.raw.complete;
        if (isUnread) linger(request.raw);
        return isUnread || isClosing;
      },
      onTaken: (isTaken) => view.taken(owner, isTaken),
    });
    relays.add(one);
    try {
      const end = await one.send(toOwner.of(owner.epoch));
      relayed[end]++;
      return end === 'refused' && one.isOwnerEnding ? 'ended' : end;
    } finally {
      relays.delete(one);
    }
  }

  /** Resolves when something has changed, the time is over, or the client is gone. */
  function change(reply: FastifyReply, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const over = (): void => {
        clock.clearTimer(timer);
        waiting.delete(over);
        reply.raw.off('close', over);
        resolve();
      };
      const timer = clock.setTimer(over, ms);
      waiting.add(over);
      reply.raw.once('close', over);
    });
  }

  /** Finds out who carries the request out, and waits for that; an error when nobody does. */
  async function direct(request: FastifyRequest, reply: FastifyReply): Promise<SluiceError | typeof HERE | typeof ANSWERED> {
    const isHop = request.hop !== null;
    /** For how long nobody has had it, in all. The time of an owner that is lost with it does not count: that is over with the ownership. */
    let waitedMs = 0;
    /** The ownership that takes nothing more. */
    let endedEpoch: number | null = null;
    for (;;) {
      if (reply.raw.destroyed) return callerGone();
      if (view.isServing) return HERE;
      if (isClosing) return new SluiceError('shutting-down');
      const { owner } = view;
      // By its address: two nodes may have one name. What is sent to its own would come back.
      const isTried = owner !== null && owner.url !== view.url && owner.epoch !== endedEpoch && !isHop;
      if (isTried) {
        const since = clock.monotonic();
        const end = await relay(request, reply, owner);
        if (end === 'answered' || end === 'broken') return ANSWERED;
        if (end === 'left') return callerGone();
        if (end === 'lost' && !isRead(request)) return ownerLost(owner.node);
        if (end === 'ended') endedEpoch = owner.epoch;
        // Counted from the first refusal on.
        if (end === 'refused' && waitedMs > 0) waitedMs += clock.monotonic() - since;
        if (view.isServing || (view.owner !== null && view.owner.epoch > owner.epoch)) continue;
      }
      const isPassedBack = isHop && view.role !== 'owner';
      const leftMs = (isPassedBack ? HOP_PATIENCE_MS : takeoverWaitMs) - waitedMs;
      if (leftMs <= 0) {
        if (isPassedBack) reply.header(NOT_HERE_HEADER, NOT_OWNED);
        return noOwner(view, endedEpoch);
      }
      const since = clock.monotonic();
      await change(reply, isTried && owner.epoch !== endedEpoch ? Math.min(leftMs, AGAIN_MS) : leftMs);
      waitedMs += clock.monotonic() - since;
    }
  }

  app.decorateRequest('clientBody', null);
  app.decorateRequest('isBegun', false);
  app.addHook('onRequest', (request, reply, done) => {
    const { config, url } = request.routeOptions;
    if (request.hop !== null) fromOthers.note(request.raw.socket);
    if (isAnsweredHere(config.everyNode, request) || isOpen(url)) {
      done();
      return;
    }
    if (view.isServing) {
      served.note(request, reply, view.term as number);
      done();
      return;
    }
    // A read that brings a body is answered without it.
    if (isRead(request) && hasBody(request.raw)) request.raw.resume();
    direct(request, reply).then((found) => {
      if (found === ANSWERED) return;
      if (found === HERE) served.note(request, reply, view.term as number);
      done(found === HERE ? undefined : found);
    }, done);
  });

  app.addHook('preParsing', (request, reply, payload, done) => {
    request.isBegun = true;
    const { clientBody } = request;
    if (clientBody === null) {
      done(null, payload);
      return;
    }
    const rest = new RelayedBody(clientBody, true);
    reply.raw.once('close', () => rest.destroy());
    done(null, rest);
  });
  app.addHook('onSend', (request, reply, _payload, done) => {
    // The next owner may do what this one, which ends, has not begun.
    if (request.hop !== null && request.problemCode === 'shutting-down' && (isRead(request) || !request.isBegun))
      reply.header(NOT_HERE_HEADER, ENDS_HERE);
    done();
  });

  const unwatch = view.watch(() => {
    const ended = options.isDraining() ? 0 : served.endOthers(view.term);
    if (ended > 0) app.log.warn({ requests: ended, term: view.term }, 'requests were cut off, since their owner is one no longer');
    for (const wake of [...waiting]) wake();
    const { owner } = view;
    toOwner.keepOnly(owner?.epoch ?? null);
    if (owner === null || ![...relays].some(({ epoch }) => epoch !== owner.epoch)) return;
    const timer = clock.setTimer(() => {
      for (const one of [...relays]) if (one.epoch < owner.epoch) one.abandon();
    }, ABANDON_MS);
    unref(timer);
  });

  app.addHook('preClose', async () => {
    isClosing = true;
    unwatch();
    for (const wake of [...waiting]) wake();
    for (const one of [...relays]) if (one.isEventStream) one.abandon();
  });
  app.addHook('onClose', () => toOwner.destroy());

  return {
    relayed,
    get relaying() {
      return relays.size;
    },
    get waiting() {
      return waiting.size;
    },
    othersGone: () => fromOthers.allGone(clock, OTHERS_MS),
  };
}

function isRead({ method }: FastifyRequest): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
}

/** The path with its query; a target may name its authority before (RFC 9112 section 3.2.2). */
function pathSent(url = '/'): string {
  if (url.startsWith('/')) return url;
  if (!URL.canParse(url)) return '/';
  const { pathname, search } = new URL(url);
  return pathname + search;
}

/** `endedEpoch`: the ownership that takes nothing more. */
function noOwner({ name, url, role, isInformed, owner, trouble }: ClusterView, endedEpoch: number | null): SluiceError {
  if (trouble === null && !isInformed) return new SluiceError('no-owner', NOT_INFORMED);
  const why =
    trouble !== null
      ? `this node cannot follow the log: ${trouble}`
      : role === 'owner'
        ? 'this node owns the pipelines and does not serve yet, or cannot tell whether it still owns them'
        : owner === null || (owner.node === name && owner.url === url)
          ? 'the last owner is silent, and another node takes over'
          : owner.epoch === endedEpoch
            ? `the owner ${owner.node} ends: it finishes what runs there, and takes nothing more`
            : owner.url === url
              ? `the owner ${owner.node} gives the NODE_URL of this node as its own`
              : `the owner ${owner.node} cannot be reached at its NODE_URL`;
  return new SluiceError('no-owner', `no node serves: ${why}`);
}

function isAnsweredHere(everyNode: boolean | ((request: FastifyRequest) => boolean) = false, request: FastifyRequest): boolean {
  return typeof everyNode === 'boolean' ? everyNode : everyNode(request);
}
