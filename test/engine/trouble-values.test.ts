import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalHost, createTaskRegistry, type TaskHandler } from '../../src/engine/index.ts';
import { noSecrets, silentLogger } from '../../src/engine/ports.ts';
import { expectBooksToBalance, virtualPipeline } from './harness.ts';
import { countedIds, seededRandom, VirtualClock } from './virtual-clock.ts';

const throwing = {
  get trap() {
    throw new Error('do not look');
  },
};
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const cyclic = (): object => {
  const node: Record<string, unknown> = {};
  node.self = node;
  return node;
};
/** A tree with parent pointers: two ways round at every node. */
const tangled = (): object => {
  const parent: { children: object[] } = { children: [] };
  parent.children = [{ parent }, { parent }, { parent }];
  return parent;
};

describe('a task that throws what is no error', () => {
  const thrown: [name: string, value: unknown, message: string][] = [
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a string', 'boom', 'boom'],
    ['a number', 7, '7'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['a function', () => 1, '() => 1'],
    ['a plain object', { reason: 'x' }, '{"reason":"x"}'],
    ['an object with a bigint', { big: 1n }, 'a value that cannot be displayed'],
    [
      'an object whose message throws',
      Object.create(null, {
        message: {
          get: () => {
            throw new Error('no');
          },
        },
      }),
      'a value that cannot be displayed',
    ],
    ['a revoked proxy', revoked(), 'a value that cannot be displayed'],
  ];
  for (const [name, value, message] of thrown) {
    for (const how of ['throws', 'rejects'] as const) {
      it(`ends as failed with a text when it ${how} ${name}`, async () => {
        const task: TaskHandler =
          how === 'throws'
            ? () => {
                throw value;
              }
            : () => Promise.reject(value);
        const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task], taskAttempts: 2 }]);
        const [result] = await clock.finish(pipeline.run(['x']));
        expect(result?.error).toEqual({ type: 'NonError', message, stage: 'A', attempts: 2 });
      });
    }
  }

  it('keeps 4096 characters of a long text', async () => {
    const { pipeline, clock } = virtualPipeline([
      {
        name: 'A',
        tasks: [
          () => {
            throw new Error('x'.repeat(100_000));
          },
        ],
        taskAttempts: 1,
      },
    ]);
    const [result] = await clock.finish(pipeline.run(['x']));
    expect(result?.error?.message).toHaveLength(4096);
  });
});

describe('a value on its way', () => {
  for (const value of [null, undefined, 0, '', false, Number.NaN]) {
    for (const retry of ['per_task', 'per_stage'] as const) {
      it(`goes through two stages when it is ${JSON.stringify(value) ?? String(value)} (${retry})`, async () => {
        const same = (given: unknown) => given;
        const { pipeline, clock } = virtualPipeline([
          { name: 'A', tasks: [() => value, same], retry },
          { name: 'B', tasks: [async (given: unknown) => given], retry },
        ]);
        const [result] = await clock.finish(pipeline.run(['x']));
        expect(result).toMatchObject({ value, error: null });
        expect(pipeline.results).toHaveLength(1);
      });
    }
  }

  it('fails the item, and nobody else, when reading it throws', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [(value: unknown) => typeof value], taskAttempts: 2 }]);
    const results = await clock.finish(pipeline.run([throwing, 'fine']));
    expect(results.map(({ error, value }) => error?.type ?? value)).toEqual(['Error', 'string']);
    expectBooksToBalance({ pipeline });
  });

  it('may refer to itself, in one way or in many', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [(value: unknown) => value, (value: unknown) => value] }]);
    const results = await clock.finish(pipeline.run([cyclic(), tangled()]));
    const [one, many] = results.map(({ value }) => value) as [ReturnType<typeof cyclic>, { children: { parent: unknown }[] }];
    expect(one).toHaveProperty('self.self.self');
    expect(many.children[2]?.parent).toHaveProperty('children.length', 3);
  });

  it('is not changed for an operator’s retry by the last attempt', async () => {
    let fails = true;
    const spoil = (value: string[]) => {
      value.push('spoilt');
      if (fails) throw new Error('no');
      return value;
    };
    for (const retry of ['per_task', 'per_stage'] as const) {
      fails = true;
      const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [spoil], retry, taskAttempts: 1, stageAttempts: 2 }]);
      await pipeline.start();
      await pipeline.feed([{ id: 'x', value: ['clean'] }]);
      await clock.advance(5_000);
      expect((await pipeline.runtime.item('x')).value).toEqual(['clean']);
      fails = false;
      await pipeline.runtime.retryItem('x');
      await clock.settle();
      expect(pipeline.results[0]?.value).toEqual(['clean', 'spoilt']);
    }
  });
});

describe('a thenable', () => {
  const settles: [name: string, then: (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void, value: unknown][] = [
    [
      'resolves twice',
      (resolve) => {
        resolve(1);
        resolve(2);
      },
      1,
    ],
    [
      'resolves, then rejects',
      (resolve, reject) => {
        resolve(1);
        reject(new Error('late'));
      },
      1,
    ],
    [
      'resolves, then throws',
      (resolve) => {
        resolve(1);
        throw new Error('late');
      },
      1,
    ],
    [
      'rejects, then resolves',
      (resolve, reject) => {
        reject(new Error('first'));
        resolve(2);
      },
      'first',
    ],
    [
      'throws at once',
      () => {
        throw new Error('at once');
      },
      'at once',
    ],
  ];
  for (const [name, then, value] of settles) {
    it(`counts by its first word when it ${name}`, async () => {
      const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [() => ({ then })], taskAttempts: 1 }]);
      const [result] = await clock.finish(pipeline.run(['x']));
      expect(result?.error?.message ?? result?.value).toBe(value);
      expectBooksToBalance({ pipeline });
    });
  }

  it('fails the attempt when its "then" cannot be read', async () => {
    const trap = Object.defineProperty({}, 'then', {
      get: () => {
        throw new Error('no then');
      },
    });
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [() => trap], taskAttempts: 1 }]);
    const [result] = await clock.finish(pipeline.run(['x']));
    expect(result?.error?.message).toBe('no then');
  });
});

describe('a service task whose result is no JSON', () => {
  const host = (run: TaskHandler) => {
    const clock = new VirtualClock();
    const made = createLocalHost({
      registry: createTaskRegistry([{ name: 'odd', kind: 'task', description: '', paramsSchema: null, parseParams: () => undefined, run }]),
      ports: {
        clock,
        random: seededRandom(1),
        uniqueId: countedIds(),
        logger: silentLogger,
        threads: undefined,
        expressions: undefined,
        secrets: noSecrets,
      },
      retentionMaxItems: 100,
      retentionMaxAgeSeconds: 60,
      backlogCapacity: 100,
      eventsKept: 1024,
      hookTimeoutSeconds: 1,
      maxStages: 10,
      maxWorkersPerStage: 10,
    });
    onTestFinished(() => void made.shutdown('force', 1));
    return { host: made, clock };
  };
  const values: [name: string, value: () => unknown, text: RegExp][] = [
    ['a bigint', () => ({ n: 1n }), /\/n is a bigint/],
    ['a function', () => () => 1, /it is a function/],
    ['a symbol', () => [Symbol('s')], /\/0 is a symbol/],
    ['a Map', () => new Map(), /it is a Map/],
    ['a Set', () => ({ a: { b: new Set() } }), /\/a\/b is a Set/],
    ['NaN', () => Number.NaN, /it is NaN/],
    ['an infinity', () => [Number.NEGATIVE_INFINITY], /is -Infinity/],
    ['a typed array', () => new Uint8Array(2), /is a Uint8Array/],
    ['a cycle', cyclic, /refers to itself/],
    ['a tree with parent pointers', tangled, /refers to itself/],
    ['a getter that throws', () => throwing, /cannot be read/],
  ];
  for (const [name, value, text] of values) {
    it(`fails the item at once when it is ${name}`, async () => {
      let runs = 0;
      const { host: made, clock } = host(() => {
        runs++;
        return value();
      });
      await made.create({
        id: 'p',
        stages: [
          { name: 'A', tasks: ['odd'] },
          { name: 'B', tasks: ['odd'] },
        ],
      });
      const reply = await clock.finish(made.get('p').run([{ id: 'x', value: 1 }], {}));
      expect(reply.results[0]?.error?.message).toMatch(text);
      expect(reply.results[0]?.error?.stage).toBe('A');
      expect(runs).toBe(1);
      // What is kept of it can be shown.
      expect(JSON.stringify(await made.get('p').item('x'))).toContain('"value":1');
    });
  }

  it('can be run again once the task is mended', async () => {
    let value: unknown = 1n;
    const { host: made, clock } = host(() => value);
    await made.create({ id: 'p', stages: [{ name: 'A', tasks: ['odd'] }] });
    const pipeline = made.get('p');
    await clock.finish(pipeline.run([{ id: 'x', value: 1 }], {}));
    value = 'mended';
    await pipeline.retryItem('x');
    await clock.settle();
    expect(await pipeline.item('x')).toMatchObject({ status: 'completed', value: 'mended', error: null });
  });
});
