import { createHmac, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SluiceError } from '../../engine/index.ts';

/** The header of a request that one node of a cluster passes to another. Clients never send it. */
export const HOP_HEADER = 'sluice-hop';

/** Told to a node that what it has passed on is refused, since the two have no key in common. */
export const HOP_REFUSED_HEADER = 'sluice-hop-refused';

/** Where a passed on request came from. */
export interface Hop {
  /** The name of the node that the client has sent it to. */
  readonly node: string;
  /** The address of the client, as that node saw it. */
  readonly client: string;
}

/** The parts of a request that a signature covers: with any other of them it is worth nothing. */
export interface SignedRequest {
  method: string;
  url: string;
  requestId: string;
}

/** Signs passed on requests and checks them, with the keys that all nodes share: the first one signs, all are accepted. */
export interface HopSeal {
  /** The value of {@link HOP_HEADER}. */
  sign(hop: Hop, request: SignedRequest): string;
  /** Undefined when no node of this cluster has signed it so. */
  open(value: string, request: SignedRequest): Hop | undefined;
}

/** `node client mac`; names of nodes and addresses have no spaces. */
const VALUE = /^(?<node>[^ ]{1,64}) (?<client>[^ ]{1,64}) (?<mac>[\w-]{43})$/;

/**
 * Seals with HMAC-SHA-256, so that no key is ever sent. No instant is signed, since clocks of nodes differ: whoever sees a value on the wire can send the
 * same request again, with which the same address is named again, and no right is bought.
 */
export function createHopSeal(keys: readonly string[]): HopSeal {
  function macOf(key: string, { node, client }: Hop, { method, url, requestId }: SignedRequest): Buffer {
    return createHmac('sha256', key).update(['sluice-hop 1', node, client, method, url, requestId].join('\n')).digest();
  }
  return {
    sign: (hop, request) => `${hop.node} ${hop.client} ${macOf(keys[0] as string, hop, request).toString('base64url')}`,
    open(value, request) {
      const { node, client, mac } = VALUE.exec(value)?.groups ?? {};
      if (node === undefined || client === undefined || mac === undefined) return undefined;
      const hop = { node, client };
      const given = Buffer.from(mac, 'base64url');
      return keys.some((key) => timingSafeEqual(macOf(key, hop, request), given)) ? hop : undefined;
    },
  };
}

/**
 * Says of each request whether another node has passed it on. One that only claims so is refused: taken for a client's, it could be sent in circles by nodes that
 * do not have the same key. Call it before the hooks that ask.
 */
export function recogniseHops(app: FastifyInstance, seal: HopSeal | null): void {
  app.decorateRequest('hop', null);
  if (seal === null) return;
  app.addHook('onRequest', (request, reply, done) => {
    const value = request.headers[HOP_HEADER];
    if (value === undefined) {
      done();
      return;
    }
    request.hop = (typeof value === 'string' && seal.open(value, signedOf(request))) || null;
    if (request.hop !== null) {
      done();
      return;
    }
    reply.header(HOP_REFUSED_HEADER, '1');
    done(
      new SluiceError(
        'forbidden',
        `the header ${HOP_HEADER} is not signed with a key of this cluster; all nodes need the same CLUSTER_KEY`,
        {
          fix: 'Whoever runs the cluster has to give all of its nodes the same CLUSTER_KEY; no key of a caller changes that.',
        },
      ),
    );
  });
}

/** The parts that a node signs of a request, and that the node to which it is passed checks. */
export function signedOf({ method, raw, id }: FastifyRequest): SignedRequest {
  return { method, url: raw.url ?? '', requestId: id };
}
