/** No value can make a flush throw, which would end the process: what throws, throws at the end of its task. */
import { describe, expect, it } from 'vitest';
import type { TaskContext, TaskHandler } from '../../src/engine/index.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { livesOf } from './durable-host.ts';

/** Throws when it is looked at for the so-manieth time. */
function traps(at: number, thrown: () => unknown = () => new Error('boom')): Record<string, () => unknown> {
  const trap = (): (() => unknown) => {
    let looks = 0;
    return () => {
      if (++looks >= at) throw thrown();
      return 1;
    };
  };
  return {
    'a toJSON': () => ({ a: { toJSON: trap() } }),
    'a getter': () => Object.defineProperty({}, 'a', { get: trap(), enumerable: true }),
    'a proxy': () => {
      const look = trap();
      return new Proxy({ a: 1 }, { get: (target, key) => (key === 'a' ? look() : Reflect.get(target, key)) });
    },
    'an instance': () => {
      const look = trap();
      return new (class {
        get hidden() {
          return 1;
        }
        toJSON() {
          return { a: look() };
        }
      })();
    },
  };
}

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const unreadable = (): Error =>
  Object.defineProperty(new Error(), 'message', {
    get: () => {
      throw new Error('no message');
    },
  });

async function resultOf(make: TaskHandler) {
  const lives = livesOf({ make, pass: (value: unknown) => value });
  const life = await lives.begin();
  await life.host.create({
    id: 'p',
    stages: [
      { name: 'A', tasks: ['make'] },
      { name: 'B', tasks: ['pass'], taskAttempts: 1 },
    ],
  });
  const p = life.host.get('p');
  const { results } = await p.run([{ id: 'x', value: 1 }], {});
  await life.crash();
  expect(audit(lives.file()).faults).toEqual([]);
  const next = await lives.begin();
  const item = await next.host.get('p').item('x');
  expect(item).toMatchObject({ status: results[0]?.error == null ? 'completed' : 'failed', error: results[0]?.error });
  return results[0];
}

describe('a result that throws when it is looked at', () => {
  for (const [name, make] of Object.entries(traps(1))) {
    it(`fails its item, at the end of its task, when it is ${name}`, async () => {
      const result = await resultOf(make);
      expect(result?.error).toMatchObject({ type: 'ValueNotJsonError', stage: 'A', attempts: 1, message: expect.stringContaining('boom') });
    });
  }
  for (const [name, make] of Object.entries(traps(2))) {
    it(`is not looked at a second time when it is ${name}`, async () => {
      expect(await resultOf(make)).toMatchObject({ error: null, value: { a: 1 } });
    });
  }
  for (const [name, make] of Object.entries({ ...traps(1, revoked), ...traps(1, unreadable) })) {
    it(`fails its item when what it throws cannot be looked at either, and it is ${name}`, async () => {
      expect((await resultOf(make))?.error).toMatchObject({ type: 'ValueNotJsonError', message: expect.stringContaining('it threw') });
    });
  }
  it('is too large when it says that its length is no number', async () => {
    const make = (): object => new Proxy([1], { get: (target, key) => (key === 'length' ? Number.NaN : Reflect.get(target, key)) });
    expect((await resultOf(make))?.error).toMatchObject({ type: 'ValueTooLarge' });
  });
});

describe('an item that a program feeds', () => {
  for (const [name, make] of Object.entries(traps(1))) {
    it(`is refused when its value is ${name} that throws`, async () => {
      const lives = livesOf({ pass: (value: unknown) => value });
      const life = await lives.begin();
      await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] });
      const p = life.host.get('p');
      await expect(async () => p.feed([{ id: 'x', value: make() }], {})).rejects.toMatchObject({ code: 'invalid-input' });
      await expect(async () => p.feed([{ id: 'x', value: 1, extra: make() }], {})).rejects.toMatchObject({ code: 'invalid-input' });
      expect((await p.stats()).itemsFed).toBe(0);
    });
  }
});

describe('what a task does to its context', () => {
  it('reaches no flush', async () => {
    const result = await resultOf((value: unknown, context: TaskContext) => {
      Object.assign(context.metadata, { big: 1n, self: context.metadata, toJSON: revoked });
      context.setStatus('x'.repeat(10_000));
      context.progress(Number.NaN);
      return value;
    });
    expect(result).toMatchObject({ error: null, value: 1, metadata: {} });
  });
});
