import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalHost, createTaskRegistry, type LocalHost, type TaskContext, type TaskHandler } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { sizeWithin } from '../../src/engine/values/json-size.ts';
import { createValueRule } from '../../src/engine/values/value-rule.ts';
import { SEED } from '../seed.ts';
import { livesOf } from '../stores/durable-host.ts';

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** `[b, b]` of `[c, c]` of …: a few objects, of which JSON makes 2^depth. */
function shared(depth: number): unknown {
  let value: unknown = [];
  for (let i = 0; i < depth; i++) value = [value, value];
  return value;
}

describe('measuring a value', () => {
  it('is exact to the byte', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', 'é', '€', '😀', '"', '\\', '\n', '\u0001', '\u007f', '\u2028') });
    const values = fc.oneof(
      fc.jsonValue({ depthSize: 'large' }),
      fc.array(texts),
      fc.dictionary(texts, fc.double({ noNaN: true, noDefaultInfinity: true })),
    );
    fc.assert(
      fc.property(values, (value) => {
        const bytes = bytesOf(value);
        expect(createValueRule(bytes).take(value)).toBeNull();
        expect(createValueRule(bytes - 1).take(value)).toMatchObject({ is: 'too-large' });
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  for (const [name, value] of [
    ['an odd number of characters before each pair of surrogates', `a${'😀'.repeat(100_000)}`],
    ['control characters only', '\u0001'.repeat(200_000)],
    ['members that JSON leaves out', { a: undefined, b: [undefined, 1], c: { d: undefined } }],
    ['dates and others that say what JSON makes of them', [new Date(0), { toJSON: () => ({ x: ['y'] }) }, Buffer.from('abc')]],
    ['a sparse array', Object.assign([], { length: 1000 })],
  ] as const) {
    it(`is exact of ${name}`, () => {
      const bytes = bytesOf(value);
      expect(createValueRule(bytes).take(value)).toBeNull();
      expect(createValueRule(bytes - 1).take(value)).toMatchObject({ is: 'too-large' });
    });
  }

  for (const [name, make] of [
    ['whose parts are shared over and over', () => shared(100)],
    ['whose parts are shared, with members that JSON leaves out', sharedBlanks],
    ['that is an endless array', () => Object.assign([], { length: 2 ** 32 - 1 })],
    ['that is a text longer than JSON can be', () => '\u0001'.repeat(120_000_000)],
    ['that is a huge buffer', () => Buffer.alloc(400_000_000)],
  ] as const) {
    it(`ends soon on a value ${name}`, () => {
      const value = make();
      const before = process.memoryUsage().heapUsed;
      expect(createValueRule(1_000_000).take(value)).toMatchObject({ is: 'too-large' });
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(100_000_000);
      expect(sizeWithin(value, 1_000_000)).toBeGreaterThan(1_000_000);
    });
  }
});

function sharedBlanks(): unknown {
  const blanks = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, undefined]));
  let value: unknown = blanks;
  for (let i = 0; i < 60; i++) value = { ...blanks, a: value, b: value };
  return value;
}

const DEFAULTS = {
  maxStages: 10,
  maxWorkersPerStage: 10,
  retentionMaxItems: 1000,
  retentionMaxAgeSeconds: 3600,
  backlogCapacity: 1000,
  eventsKept: 1024,
  hookTimeoutSeconds: 1,
  maxValueBytes: 2000,
};

/** The same host in memory and on disk. */
const STORES: Record<string, (tasks: Record<string, TaskHandler>) => Promise<LocalHost>> = {
  memory: async (tasks) => {
    const declared = Object.entries(tasks).map(([name, run]) => ({
      ...{ kind: 'task' as const, name, description: name, paramsSchema: null },
      ...{ parseParams: (given: unknown) => given, run },
    }));
    const host = createLocalHost({ ...DEFAULTS, registry: createTaskRegistry(declared), ports: systemPorts });
    onTestFinished(() => void host.shutdown('force', 1));
    return host;
  },
  file: async (tasks) => (await livesOf(tasks, DEFAULTS).begin()).host,
};

for (const [store, begin] of Object.entries(STORES)) {
  describe(`a value that is too large, with the store ${store}`, () => {
    const large: [name: string, value: () => unknown][] = [
      ['a text', () => 'x'.repeat(1999)],
      ['an array of many', () => Array.from({ length: 1001 }, () => 1)],
      ['a text of more bytes than characters', () => '€'.repeat(700)],
      ['one that would never end', () => shared(120)],
    ];
    for (const [name, value] of large) {
      it(`fails the item for good when it is ${name}`, async () => {
        let runs = 0;
        const host = await begin({
          make: () => {
            runs++;
            return value();
          },
          pass: (given) => given,
        });
        await host.create({
          id: 'p',
          stages: [
            { name: 'A', tasks: ['make', 'pass'], retry: 'per_stage' },
            { name: 'B', tasks: ['pass'] },
          ],
        });
        const { results, errorSummary } = await host.get('p').run([{ id: 'x', value: 1 }], {});
        expect(results[0]).toMatchObject({
          id: 'x',
          value: null,
          error: { type: 'ValueTooLarge', message: expect.stringContaining('larger than 2000 bytes'), stage: 'A', attempts: 1 },
        });
        expect(errorSummary.errorsByType).toEqual({ ValueTooLarge: 1 });
        expect(runs).toBe(1);
        expect((await host.get('p').item('x')).value).toBe(1);
      });
    }

    it('is refused when it is fed, with the place of each, and nothing of the request is taken', async () => {
      const host = await begin({ pass: (given) => given });
      await host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] });
      const items = ['fine', 'x'.repeat(1999), { id: 'a', value: 1, note: 'y'.repeat(2000) }, 'x'.repeat(1998)];
      for (const refused of [host.get('p').feed(items, {}), host.get('p').run(items, {})]) {
        await expect(refused).rejects.toMatchObject({ code: 'value-too-large', errors: [{ path: '/items/1' }, { path: '/items/2' }] });
      }
      const writer = await host.get('p').openFeed({});
      await expect(writer.push(items)).rejects.toMatchObject({ code: 'value-too-large' });
      await writer.abort();
      expect((await host.get('p').stats()).itemsFed).toBe(0);
      expect((await host.get('p').run(['x'.repeat(1998)], {})).results[0]?.value).toHaveLength(1998);
    });

    it('bounds the type and the text of an error, and what a task says of itself', async () => {
      let said = '';
      const host = await begin({
        shout: (_value, ctx: TaskContext) => {
          ctx.setStatus('s'.repeat(5_000_000));
          said = 'said';
          throw Object.assign(new Error('m'.repeat(5_000_000)), { name: 'n'.repeat(5_000_000), permanent: true });
        },
        object: () => {
          throw { parts: shared(100), permanent: true };
        },
      });
      await host.create({ id: 'p', stages: [{ name: 'A', tasks: ['shout'] }] });
      await host.create({ id: 'q', stages: [{ name: 'A', tasks: ['object'], taskAttempts: 1 }] });
      const [result] = (await host.get('p').run([1], {})).results;
      expect(said).toBe('said');
      expect(result?.error).toMatchObject({ type: 'n'.repeat(200), message: 'm'.repeat(4096) });
      const progress = host
        .get('p')
        .events.read(0, 1000, { types: new Set(['task']) })
        .events.map(({ data }) => data);
      expect(progress).toContainEqual(expect.objectContaining({ eventType: 'progress', taskStatus: 's'.repeat(1024) }));
      expect((await host.get('q').run([1], {})).results[0]?.error?.message).toBe('an object that is too large to display');
    });
  });
}
