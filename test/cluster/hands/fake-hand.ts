import type { HandLink, Member } from '../../../src/cluster/hands/member.ts';
import { ownTasks } from '../../../src/cluster/hands/member.ts';
import { HandPool, type HandPoolOptions } from '../../../src/cluster/hands/pool.ts';
import { PROTOCOL } from '../../../src/cluster/hands/protocol.ts';
import { VirtualClock } from '../../engine/virtual-clock.ts';
import { type Call, createLog } from './harness.ts';

interface Given {
  id: string;
  value: string;
}

export class FakeHand {
  readonly name: string;
  readonly jobs: Given[] = [];
  readonly aborts: string[] = [];
  readonly ends: string[] = [];
  member!: Member;
  isAllowed = true;
  private readonly pool: HandPool;

  constructor(pool: HandPool, name: string, capacity: number, tasks: readonly string[] = ['t']) {
    this.pool = pool;
    this.name = name;
    const link: HandLink = {
      send: (text) => {
        const message = JSON.parse(text) as { t: string; id: string; args: [string] };
        if (message.t === 'job') this.jobs.push({ id: message.id, value: message.args[0] });
        if (message.t === 'abort') this.aborts.push(message.id);
        return { cancel: () => false };
      },
      close: (code) => void this.ends.push(`closed ${code}`),
      cut: () => void this.ends.push('cut'),
      isAllowed: () => this.isAllowed,
    };
    const hello = {
      t: 'hello' as const,
      protocol: PROTOCOL,
      name,
      version: '1',
      instance: name,
      capacity,
      tasks: tasks.map((task) => ({ name: task, kind: 'task' as const, hash: 'h' })),
    };
    this.member = pool.join(hello, link);
  }

  get values(): string[] {
    return this.jobs.map(({ value }) => value);
  }

  begin(value: string): void {
    this.pool.receive(this.member, { t: 'begin', id: this.idOf(value) });
  }

  answer(value: string): void {
    const id = this.idOf(value);
    this.jobs.splice(
      this.jobs.findIndex((job) => job.id === id),
      1,
    );
    this.pool.receive(this.member, { t: 'value', id, value });
  }

  back(value: string): void {
    const id = this.idOf(value);
    this.jobs.splice(
      this.jobs.findIndex((job) => job.id === id),
      1,
    );
    this.pool.receive(this.member, { t: 'back', id, why: 'leaving' });
  }

  die(): void {
    this.pool.lost(this.member, 'killed');
  }

  private idOf(value: string): string {
    return (this.jobs.findLast((job) => job.value === value) as Given).id;
  }
}

export function poolWith(options: Partial<HandPoolOptions> = {}) {
  const clock = new VirtualClock();
  const log = createLog();
  const pool = new HandPool({
    clock,
    logger: log,
    tasks: ownTasks(
      '1',
      ['t', 'u'].map((name) => ({ name, kind: 'task', hash: 'h' })),
    ),
    epoch: () => 1,
    isExpected: false,
    maxDeliveries: 3,
    beatMs: 1000,
    ...options,
  });
  let names = 0;
  return { pool, clock, log, hand: (capacity = 10, tasks = ['t', 'u']) => new FakeHand(pool, `h${++names}`, capacity, tasks) };
}

export const settled = async (call: Call): Promise<string> =>
  Promise.race([call.result.then(String, (error: Error) => error.name), new Promise<string>((resolve) => setImmediate(resolve, 'waits'))]);
