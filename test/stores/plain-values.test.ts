/** A value is plain data from the end of a task on: with a kill between two stages or without, the second one gets the same. */
import { describe, expect, it } from 'vitest';
import type { TaskContext, TaskHandler } from '../../src/engine/index.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { EVERYTHING, ended, reaches } from '../conformance/world.ts';
import { livesOf } from './durable-host.ts';

class Order {
  lines: string[];
  constructor(lines: string[]) {
    this.lines = lines;
  }
  get count(): number {
    return this.lines.length;
  }
  add(line: string): void {
    this.lines.push(line);
  }
}

class Money {
  cents = 250;
  toJSON(key: string): unknown {
    return { [key]: this.cents / 100 };
  }
}

let reads = 0;
const counted = {
  get read(): number {
    return ++reads;
  },
};
/** One object for all items, as a task has it that keeps a sum. */
const total = { sum: 0, seen: [] as number[] };

const values: [name: string, make: () => unknown, plain: unknown][] = [
  ['an instance of a class', () => new Order(['a']), { lines: ['a'] }],
  ['an instance within plain data', () => [{ order: new Order(['a']) }], [{ order: { lines: ['a'] } }]],
  ['one that says what JSON makes of it', () => ({ price: new Money() }), { price: { price: 2.5 } }],
  ['a date', () => ({ at: new Date(0), never: [new Date(0)] }), { at: '1970-01-01T00:00:00.000Z', never: ['1970-01-01T00:00:00.000Z'] }],
  ['a URL', () => new URL('http://localhost/a'), 'http://localhost/a'],
  ['a buffer', () => Buffer.from('ab'), { type: 'Buffer', data: [97, 98] }],
  ['a getter', () => counted, { read: expect.any(Number) }],
  ['a proxy', () => new Proxy({ a: 1 }, { get: (_, key) => (key === 'a' ? ++reads : undefined) }), { a: expect.any(Number) }],
  ['negative zero', () => [-0, { z: -0 }], [0, { z: 0 }]],
  ['nothing but negative zero', () => -0, 0],
  ['undefined members and elements', () => ({ a: undefined, b: [undefined, 1], c: new Array(2) }), { b: [null, 1], c: [null, null] }],
  ['undefined', () => undefined, undefined],
  ['an object without a prototype', () => Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ['a member named __proto__', () => JSON.parse('{"__proto__":{"a":1}}'), JSON.parse('{"__proto__":{"a":1}}')],
  ['a symbol key and a hidden member', () => Object.defineProperty({ a: 1, [Symbol('s')]: 2 }, 'h', { value: 3 }), { a: 1 }],
  ['a number in a box', () => ({ n: new Number(-0), s: new String('x'), b: new Boolean(false) }), { n: 0, s: 'x', b: false }],
  ['half a pair of surrogates', () => '\ud83d', '\ud83d'],
  ['an array with members', () => Object.assign([1], { more: 2 }), [1]],
];

/** Takes down what it is given to the last detail, and changes it in place, as far as it can. */
function looker(seen: unknown[]): TaskHandler {
  return (value: unknown) => {
    seen.push(structuredClone(value), kindOf(value));
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) value.push('changed');
    else Object.assign(value, { changed: 'in place' });
    return value;
  };
}

function kindOf(value: unknown): string {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : 'number';
  if (typeof value !== 'object' || value === null) return typeof value;
  return `${Array.isArray(value) ? 'array' : Object.getPrototypeOf(value) === Object.prototype ? 'object' : 'other'} of ${Reflect.ownKeys(value).map(String)}`;
}

/** What the stages after the first are given, and the result. `kills`: the process is killed before the second, and before the third. */
async function throughStages(make: () => unknown, retry: 'per_task' | 'per_stage', kills: boolean) {
  const seen: unknown[] = [];
  reads = 0;
  const lives = livesOf({ make, look: looker(seen), last: looker(seen) });
  let life = await lives.begin();
  const stages = ['make', 'look', 'last'].map((task, i) => ({ name: `S${i}`, tasks: [task], retry }));
  await life.host.create({ id: 'p', stages });
  const p = () => life.host.get('p');
  for (const stage of ['S1', 'S2']) await p().pauseStage(stage);
  await p().feed([{ id: 'x', value: 1 }], {});
  for (const stage of ['S1', 'S2']) {
    await reaches(p(), 'x', 'queued', stage);
    if (kills) {
      await life.crash();
      life = await lives.begin();
    }
    await p().resumeStage(stage);
  }
  await ended(p(), 1);
  const { value, error } = await p().item('x');
  expect(error).toBeNull();
  seen.push(value, kindOf(value));
  if (kills) {
    await life.crash();
    expect(audit(lives.file()).faults).toEqual([]);
    life = await lives.begin();
    expect((await p().results({ ...EVERYTHING, status: 'completed', after: 0, limit: 10 })).rows[0]?.value).toEqual(value);
  }
  await life.stop();
  return seen;
}

describe('a value that a task has made', () => {
  for (const [name, make, plain] of values) {
    it.each(['per_task', 'per_stage'] as const)(`is the same for the next stage after a kill when it is ${name} (%s)`, async (retry) => {
      const without = await throughStages(make, retry, false);
      expect(without[0]).toEqual(plain);
      expect(await throughStages(make, retry, true)).toEqual(without);
    });
  }

  it('is its own, though the task goes on to change what it has returned', async () => {
    const lives = livesOf({
      add: (value: number) => {
        total.sum += value;
        total.seen.push(value);
        return total;
      },
      again: () => {
        total.sum += 100;
        return total;
      },
    });
    let life = await lives.begin();
    await life.host.create({
      id: 'p',
      stages: [
        { name: 'A', tasks: ['add'] },
        { name: 'B', tasks: ['again'] },
      ],
    });
    await life.host.get('p').run(
      [
        { id: 'a', value: 1 },
        { id: 'b', value: 2 },
      ],
      {},
    );
    const results = async () =>
      (await life.host.get('p').results({ status: 'completed', after: 0, limit: 10 })).rows.map(({ value }) => value);
    const before = await results();
    expect(new Set(before.map((value) => JSON.stringify(value))).size).toBe(2);
    await life.crash();
    life = await lives.begin();
    expect(await results()).toEqual(before);
  });
});

describe('what is fed by a program', () => {
  it('is taken as it is then, with its metadata', async () => {
    const lives = livesOf({ pass: (value: unknown) => value });
    let life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] }, { start: false });
    const order = new Order(['a']);
    await life.host.get('p').feed([{ id: 'x', value: order, at: new Date(0), by: { who: order } }, order], { feedId: 'f' });
    order.add('b');
    const shown = async () => {
      const { value, metadata } = await life.host.get('p').item('x');
      return { value, metadata };
    };
    const before = await shown();
    expect(before).toEqual({ value: { lines: ['a'] }, metadata: { at: '1970-01-01T00:00:00.000Z', by: { who: { lines: ['a'] } } } });
    await life.crash();
    life = await lives.begin();
    expect(await shown()).toEqual(before);
  });
});

describe('metadata', () => {
  it('is the same for every task, whatever one does to it, with a kill between them or without', async () => {
    const seen: unknown[] = [];
    const spoil: TaskHandler = (value: unknown, { metadata }: TaskContext) => {
      seen.push(structuredClone(metadata));
      Object.assign(metadata, { spoilt: 1n });
      (metadata.by as { names: string[] }).names.push('spoilt');
      // The same attempt sees what it has done.
      expect(metadata).toHaveProperty('spoilt');
      return value;
    };
    const lives = livesOf({ spoil });
    let life = await lives.begin();
    await life.host.create({ id: 'p', stages: ['A', 'B'].map((name) => ({ name, tasks: ['spoil', 'spoil'] })) });
    await life.host.get('p').pauseStage('B');
    await life.host.get('p').feed([{ id: 'x', value: 1, by: { names: ['a'] } }], {});
    await reaches(life.host.get('p'), 'x', 'queued', 'B');
    await life.crash();
    life = await lives.begin();
    await life.host.get('p').resumeStage('B');
    await ended(life.host.get('p'), 1);
    expect(seen).toEqual(Array(4).fill({ by: { names: ['a'] } }));
  });
});
