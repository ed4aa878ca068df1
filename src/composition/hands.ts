/** The hands of a service, put together: the pool that the engine calls, the door that they come in by, and the processes that it starts itself. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { HandDoor } from '../cluster/hands/door.ts';
import { ownTasks } from '../cluster/hands/member.ts';
import { HandPool } from '../cluster/hands/pool.ts';
import type { HandTask } from '../cluster/hands/protocol.ts';
import type { Config } from '../config.ts';
import type { Clock, Logger } from '../engine/ports.ts';
import { type OwnHands, startOwnHands } from '../process/own-hands.ts';
import type { ApiKey } from '../schemas/api-key.ts';
import type { HandMeasurements, HandsView } from '../schemas/hands.ts';

export interface HandsDeps {
  config: Pick<Config, 'hands' | 'loopStallSeconds' | 'maxDeliveries' | 'maxValueBytes' | 'apiKeys'>;
  environment: Readonly<Record<string, string | undefined>>;
  tasks: readonly HandTask[];
  version: string;
  clock: Clock;
  random: () => number;
  logger: Logger;
}

export interface Hands {
  readonly pool: HandPool;
  /** The side that `buildApp` needs. */
  readonly desk: {
    view(): HandsView;
    measure(): HandMeasurements;
    accept(request: IncomingMessage, socket: Duplex, head: Buffer, isAllowed: () => boolean): void;
    close(): Promise<void>;
  };
  /** Starts those of this machine, as soon as the service listens. */
  start(server: Server): void;
  /** This node owns, by this epoch. */
  enter(epoch: number): void;
  /** Some node owns by this epoch: the hands of this machine go there, if they are not there yet. */
  ownedBy(epoch: number): void;
  /** Another node owns: its hands go there. */
  letGo(): void;
}

const ENTRY = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../server.ts' : '../server.js', import.meta.url));
/** The epoch of a service that is no node of a cluster. */
const ONLY_EPOCH = 1;
const STALL_SECONDS = 30;
/** A hand is silent for so many beats before it is lost. */
const BEATS = 3;

/** A key for the hands of this machine, or of all nodes of a cluster, which nobody else is told. */
export interface OwnKey {
  readonly text: string;
  readonly key: ApiKey;
}

/** `secret`: of all nodes of a cluster, whose hands go from one to the other. */
export function makeOwnKey(secret: string | undefined): OwnKey {
  const name = 'own-hands';
  const bytes = secret === undefined ? randomBytes(32) : createHmac('sha256', secret).update('the key of hands').digest();
  const text = `slc_${name}_${bytes.toString('base64url')}`;
  return { text, key: { name, scopes: new Set(['work']), sha256Hex: createHash('sha256').update(text).digest('hex') } };
}

export function createHands({ config, environment, tasks, version, clock, random, logger }: HandsDeps, ownKey: OwnKey): Hands {
  // A task may hold the loop of a hand for as long as it may hold that of the service.
  const beatMs = ((config.loopStallSeconds || STALL_SECONDS) * 1000) / BEATS;
  let own: OwnHands | undefined;
  let epochNow = ONLY_EPOCH;
  const epoch = (): number => epochNow;
  const pool = new HandPool({
    ...{ clock, logger, epoch, beatMs },
    tasks: ownTasks(version, tasks),
    isExpected: config.hands > 0,
    maxDeliveries: config.maxDeliveries,
    onSilent: (name) => own?.kill(name),
  });
  const door = new HandDoor({ pool, clock, logger, version, epoch, beatMs, maxValueBytes: config.maxValueBytes });
  return {
    pool,
    desk: {
      view: () => pool.view(),
      measure: () => pool.measure(),
      accept: (request, socket, head, isAllowed) => door.accept(request, socket, head, isAllowed),
      async close() {
        await Promise.all([door.close(), own?.close()]);
      },
    },
    enter(term) {
      epochNow = term;
    },
    ownedBy: (term) => own?.ownedBy(term),
    letGo: () => door.letGo('another node owns the pipelines now'),
    start(server) {
      if (config.hands === 0) return;
      const order = { urls: [urlOf(server)], key: config.apiKeys.length > 0 ? ownKey.text : undefined };
      const given = Object.fromEntries(Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined));
      own = startOwnHands({ count: config.hands, entry: ENTRY, environment: given, order, clock, random, logger });
    },
  };
}

/** Where this machine reaches a server that listens. */
function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  const host = address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return `http://${family === 'IPv6' ? `[${host}]` : host}:${port}`;
}
