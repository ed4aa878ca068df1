import type { Backbone } from '../../../src/cluster/log/log.ts';
import { type ClusterNode, createClusterNode } from '../../../src/cluster/node.ts';
import { silentLogger } from '../../../src/engine/ports.ts';
import { seededRandom, VirtualClock } from '../../engine/virtual-clock.ts';
import { FaultLog } from '../fault-log.ts';
import { Disk } from './disk.ts';
import { Broken, Ledger } from './ledger.ts';
import { type Faults, Link, NO_FAULTS } from './link.ts';
import { NodeClock } from './node-clock.ts';
import { SimHost } from './sim-host.ts';

export const LEASE_MS = 3000;

interface Process {
  node: ClusterNode;
  clock: NodeClock;
  link: Link;
}

/** A node's place in the world: its disk stays, its processes come and go. */
export interface Place {
  readonly name: string;
  readonly disk: Disk;
  process: Process | null;
  /** A process that ends still has the file. */
  isLeaving: boolean;
  aheadMs: number;
}

/** Nodes, a log, the ways between them, and somebody who looks on. */
export class World {
  readonly clock = new VirtualClock();
  readonly random: () => number;
  readonly server: FaultLog;
  readonly ledger: Ledger;
  readonly places: Place[];
  faults: Faults = NO_FAULTS;
  /** The part of all hosts that cannot be made. */
  unable = 0;
  /** Whoever is not there is started. */
  isHealed = false;
  private nextId = 0;
  private problem: unknown = null;

  constructor(seed: number, nodes: number) {
    this.random = seededRandom(seed);
    this.server = new FaultLog(this.clock);
    this.ledger = new Ledger(this.server, () => this.clock.monotonic());
    this.places = Array.from({ length: nodes }, (_, i) => ({
      ...{ name: 'abcdefgh'[i] as string, disk: new Disk(), process: null, isLeaving: false },
      aheadMs: Math.round((this.random() - 0.5) * 10_000),
    }));
  }

  get now(): number {
    return this.clock.monotonic();
  }

  get running(): (Place & { process: Process })[] {
    return this.places.filter((place): place is Place & { process: Process } => place.process !== null);
  }

  /** The nodes that answer, now. */
  serving(): string[] {
    return this.running.filter(({ process }) => !process.clock.isStopped && process.node.isServing).map(({ name }) => name);
  }

  start(place: Place): void {
    if (place.process !== null || place.isLeaving) return;
    const clock = new NodeClock(this.clock, this.random, place.aheadMs);
    const link = new Link(this.server, clock, this.random, () => this.faults, this.guarded(this.ledger.enter));
    const node = createClusterNode({
      ...{ name: place.name, url: `http://${place.name}`, version: '1', file: place.name, leaseMs: LEASE_MS },
      ...{ clock, random: this.random, logger: silentLogger, backbone: backboneOf(link) },
      openReplica: async () => place.disk.open(),
      removeReplica: async () => place.disk.remove(),
      setReplicaAside: async () => place.disk.setAside(),
      own: async (store, epoch, ownerClock) => {
        const { promise, resolve, reject } = Promise.withResolvers<void>();
        clock.setTimer(
          () => (this.random() < this.unable ? reject(new Error('its definitions are wrong')) : resolve()),
          300 * this.random(),
        );
        await promise;
        return new SimHost(store, ownerClock, {
          begins: () => {
            this.check(() => this.ledger.expectOwner(place.name, epoch, place.disk.ids, LEASE_MS, 'begins something'));
            return ++this.nextId;
          },
          answers: this.guarded((id: number) => this.ledger.acknowledge(id)),
          random: this.random,
        });
      },
    });
    place.process = { node, clock, link };
    this.read(place, place.process);
    node.start().catch((error: unknown) => this.fail(error));
  }

  kill(place: Place): void {
    place.process?.clock.kill();
    place.process = null;
  }

  /** A graceful stop. */
  leave(place: Place): void {
    const { process } = place;
    if (process === null) return;
    place.process = null;
    place.isLeaving = true;
    process.node.leave().then(
      () => {
        process.clock.kill();
        place.isLeaving = false;
        if (this.isHealed) this.start(place);
      },
      (error: unknown) => this.fail(error),
    );
  }

  loseTail(count: number): void {
    this.server.loseTail(count);
    this.ledger.loseTail(count);
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
    if (this.problem !== null) throw this.problem;
  }

  /** A reader asks every node again and again; the question reaches a node among its timers, so also right after it has been stopped. */
  private read(place: Place, process: Process): void {
    process.clock.setTimer(
      () => {
        const { node } = process;
        if (node.isServing) this.check(() => this.ledger.expectOwner(place.name, node.epoch, place.disk.ids, LEASE_MS, 'answers'));
        if (place.process === process) this.read(place, process);
      },
      100 + 500 * this.random(),
    );
  }

  private guarded<A extends unknown[]>(work: (...args: A) => void): (...args: A) => void {
    return (...args) => this.check(() => work(...args));
  }

  private check(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    this.problem ??= error;
  }
}

function backboneOf(log: Link): Backbone {
  return {
    log,
    snapshots: { put: async () => undefined, newest: async () => null },
    presence: { announce: async () => undefined, list: async () => [], rivals: async () => [], leave: async () => undefined },
    close: async () => undefined,
  };
}
