import type { HandView } from '../../schemas/hands.ts';
import type { PoolJob } from './pool-job.ts';
import { type HandTask, type Hello, keyOf } from './protocol.ts';
import type { Sending } from './wire.ts';

/** The connection to a hand, as its owner sees it. */
export interface HandLink {
  send(text: string): Sending;
  close(code: number, reason: string): void;
  /** Ends it without the hand. */
  cut(): void;
  /** Whether the key that it came with still admits it. */
  isAllowed(): boolean;
}

/** A job's place at a hand. A job that was aborted keeps it until the hand says that it has ended. */
export interface Place {
  readonly job: PoolJob;
  readonly sending: Sending;
  isAborted: boolean;
}

/** The tasks of the owner, which hands are compared with. */
export interface OwnTasks {
  readonly version: string;
  /** Their hashes by {@link keyOf}. */
  readonly hashes: ReadonlyMap<string, string>;
}

export function ownTasks(version: string, tasks: readonly HandTask[]): OwnTasks {
  return { version, hashes: new Map(tasks.map((task) => [keyOf(task), task.hash])) };
}

/** A hand that is connected: what it has, what it is given, and whether it may be given more. */
export class Member {
  readonly name: string;
  readonly instance: string;
  readonly version: string;
  readonly link: HandLink;
  readonly capacity: number;
  /** By their ids. */
  readonly places = new Map<string, Place>();
  isLeaving = false;
  /** It is no longer among the hands. */
  isGone = false;
  /** Beats since it was last heard. */
  silentBeats = 0;
  /** The suspect that it has. */
  suspect: PoolJob | null = null;
  /** The job that it has, or is kept free for, which nothing may run beside. */
  lone: PoolJob | null = null;
  private readonly has: Set<string>;
  private readonly missing: Set<string>;
  private readonly own: OwnTasks;
  private readonly since: number;

  constructor(name: string, { instance, version, capacity, tasks }: Hello, link: HandLink, own: OwnTasks, since: number) {
    this.name = name;
    this.instance = instance;
    this.version = version;
    this.capacity = capacity;
    this.link = link;
    this.own = own;
    this.since = since;
    const hashes = new Map(tasks.map((task) => [keyOf(task), task.hash]));
    const isSame = version === own.version;
    this.has = new Set([...own.hashes].flatMap(([key, hash]) => (isSame && hashes.get(key) === hash ? [key] : [])));
    this.missing = new Set([...own.hashes.keys()].filter((key) => !this.has.has(key)));
  }

  get running(): number {
    return this.places.size;
  }

  get isFree(): boolean {
    return !this.isGone && !this.isLeaving && this.lone === null && this.places.size < this.capacity;
  }

  hasTask(key: string): boolean {
    return this.has.has(key);
  }

  /** The tasks that it can be given, by {@link keyOf}. */
  get taskKeys(): Iterable<string> {
    return this.has;
  }

  /** It has said that it does not know a task after all. */
  lacks(key: string): void {
    if (this.has.delete(key)) this.missing.add(key);
  }

  /** Why it is given less than others, or nothing; null when all is well. */
  get fault(): string | null {
    const { version } = this.own;
    if (this.version !== version) return `it runs Sluice ${this.version}, and this is ${version}: it is given nothing`;
    if (this.missing.size === 0) return null;
    return `it lacks ${this.missing.size} of the tasks, predicates and hooks, or its files in TASKS_DIR differ from those here`;
  }

  view(): HandView {
    return {
      name: this.name,
      version: this.version,
      tasks: [...this.has].map(nameOf).sort(),
      missing: [...this.missing].map(nameOf).sort(),
      running: this.running,
      capacity: this.capacity,
      since: new Date(this.since).toISOString(),
      leaving: this.isLeaving,
      fault: this.fault,
    };
  }
}

function nameOf(key: string): string {
  return key.slice(key.indexOf(' ') + 1);
}
