import { describe, expect, it, vi } from 'vitest';
import { takesContext } from '../../src/engine/definition/takes-context.ts';
import type { TaskContext, TaskHandler } from '../../src/engine/index.ts';
import { stageSpecOf } from '../../src/engine/stage/index.ts';
import { virtualPipeline } from './harness.ts';

// Compiled as they stand here: the loader of tests may write source text anew.
const compile = (source: string): TaskHandler => new Function(`return (${source})`)() as TaskHandler;
const strict = (source: string): TaskHandler => new Function(`'use strict'; return (${source})`)() as TaskHandler;

const ALONE: Record<string, TaskHandler> = {
  'an arrow function of one parameter': compile('(value) => value'),
  'one without parentheses': compile('value => value'),
  'one of no parameter': compile('() => 1'),
  'one whose types were blanked': compile('(value         )         => value'),
  'an async arrow function': compile('async (value) => value'),
  'an async one without parentheses': compile('async value => value'),
  'an arrow function whose parameter is called async': compile('async => async'),
  'an arrow function in whose text the word arguments stands': compile('(value) => "arguments" + value'),
  'a strict function': strict('function (value) { return value }'),
  'a strict function with a name': strict('function pass(value) { return value }'),
  'a strict async function': strict('async function pass(value) { return value }'),
  'a method': compile('({ run(value) { return value } }).run'),
  'an async method': compile('({ async run(value) { return value } }).run'),
  'a method of a class': compile('new (class { run(value) { return value } })().run'),
  'a static method of a class': compile('(class { static run(value) { return value } }).run'),
  'a field of a class': compile('new (class { run = (value) => value })().run'),
  'one that claims another length': Object.defineProperty(compile('(value) => value'), 'length', { value: 2 }),
};

/** Each returns what it finds as its second argument. */
const SEEING: Record<string, TaskHandler> = {
  'two parameters': compile('(value, ctx) => ctx'),
  'a default before the second parameter': compile('(value = 1, ctx) => ctx'),
  'a default for the second parameter': compile('(value, ctx = null) => ctx'),
  'rest parameters': compile('(...args) => args[1]'),
  'rest parameters after one': compile('(value, ...rest) => rest[0]'),
  'destructuring of the second parameter': compile('(value, { itemId, signal }) => ({ itemId, signal })'),
  'destructuring of the first parameter': compile('({ length }, ctx) => ctx'),
  'a comment among the parameters': compile('(value /* , none */, ctx) => ctx'),
  'an async function': compile('async (value, ctx) => ctx'),
  arguments: strict('function (value) { return arguments[1] }'),
  'arguments in an async function': strict('async function (value) { return arguments[1] }'),
  'arguments in an arrow function inside': strict('function (value) { return (() => arguments[1])() }'),
  'arguments in a method': compile('({ run(value) { return arguments[1] } }).run'),
  'arguments in a default of the only parameter': strict(
    'function (value = arguments[1]) { return value === undefined ? value : arguments[1] }',
  ),
  'arguments written with an escape': strict('function (value) { return \\u0061rguments[1] }'),
  'arguments in a text that is evaluated': compile('function (value) { return eval("argu" + "ments[1]") }'),
  'arguments as a property of a function that is not strict': compile('function self(value) { return self["argu" + "ments"][1] }'),
  'arguments of a caller': compile(
    '(() => { function helper() { return task["argu" + "ments"][1] } function task(value) { return helper() } return task })()',
  ),
  'parameters that were glued in': new Function('value /*', '*/, ctx', 'return ctx') as TaskHandler,
  'a bound function': compile('(value, ctx) => ctx').bind(null),
  'a bound function that had an argument': compile('(first, value, ctx) => ctx').bind(null, 0),
  'a Proxy of a function': new Proxy(compile('(value, ctx) => ctx'), {}),
  'a Proxy that shows another length and text': new Proxy(compile('(value) => value'), {
    get: (target, key) => (key === 'length' ? 1 : key === 'toString' ? () => '(value) => value' : Reflect.get(target, key)),
    apply: (_target, _this, args) => args[1],
  }),
  'a native function': Reflect.get as TaskHandler,
  'a mock': vi.fn(compile('(value, ctx) => ctx')),
  'a class method with a computed name': compile('new (class { ["run"](value, ctx) { return ctx } })().run'),
  'an own toString': Object.assign(compile('(value, ctx) => ctx'), { toString: () => '(value) => value' }),
  'a getter for toString': Object.defineProperty(compile('(value, ctx) => ctx'), 'toString', { get: () => () => '(value) => value' }),
  'a claimed length': Object.defineProperty(compile('(value, ctx) => ctx'), 'length', { value: 1 }),
};

describe('a handler that certainly sees one argument', () => {
  it.each(Object.entries(ALONE))('is %s', (_title, handler) => {
    expect(takesContext(handler)).toBe(false);
  });

  it('is called without a context by its stage, unless an array is spread before it', () => {
    const tasks = [compile('(value) => value')];
    expect(stageSpecOf({ name: 'A', tasks }).tasks).toMatchObject([{ takesContext: false }]);
    expect(stageSpecOf({ name: 'A', tasks, unpackArgs: true }).tasks).toMatchObject([{ takesContext: true }]);
  });
});

describe('a handler that may see a second argument', () => {
  it.each(Object.entries(SEEING).filter(([title]) => title !== 'a native function'))(
    'gets the context, with %s',
    async (_title, handler) => {
      let seen: unknown;
      const note = (value: unknown): unknown => {
        seen = value;
        return 'noted';
      };
      const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [handler, note] }]);
      await clock.finish(pipeline.run([{ id: 'x', value: 'text' }]));
      expect((seen as TaskContext).itemId).toBe('x');
      expect((seen as TaskContext).signal).toBeInstanceOf(AbortSignal);
    },
  );

  it.each(Object.entries(SEEING))('is in doubt, with %s', (_title, handler) => {
    expect(takesContext(handler)).toBe(true);
  });

  it.each([
    ['a generator', '(function* (value) {})'],
    ['a class', '(class { constructor(value) {} })'],
    ['a getter', 'Object.getOwnPropertyDescriptor({ get run() { return 1 } }, "run").get'],
    ['a setter', 'Object.getOwnPropertyDescriptor({ set run(value) {} }, "run").set'],
    ['a method with a text for a name', '({ "a-b"(value) { return value } })["a-b"]'],
    ['a name with letters beyond ASCII', '(é) => é'],
    ['an object', '({})'],
  ])('is in doubt too if it is %s', (_title, source) => {
    expect(takesContext(compile(source))).toBe(true);
  });

  it('gets the context where an array is spread before it', async () => {
    const seen: unknown[] = [];
    const handler = compile('(seen) => (...args) => seen(args)')((args: unknown[]) => seen.push(...args)) as TaskHandler;
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [handler], unpackArgs: true }]);
    await clock.finish(pipeline.run([{ id: 'x', value: [] }]));
    expect(seen).toMatchObject([{ itemId: 'x' }]);
    const { pipeline: one, clock: other } = virtualPipeline([{ name: 'A', tasks: [compile('(first) => first.itemId')], unpackArgs: true }]);
    expect(await other.finish(one.run([{ id: 'y', value: [] }]))).toMatchObject([{ value: 'y' }]);
  });
});

describe('an attempt without a context', () => {
  it('times out, is cancelled and is counted like any other', async () => {
    const task = (_value: unknown): Promise<unknown> => new Promise(() => undefined);
    expect(takesContext(task)).toBe(false);
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 2, tasks: [task], taskTimeoutSeconds: 5, taskAttempts: 1 }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'late' }, { id: 'gone' }]);
    expect(pipeline.getWorkerStates()['A-W0']).toMatchObject({ currentTask: 'task', currentItemId: 'late' });
    await pipeline.runtime.cancelItem('gone');
    await clock.advance(5_000);
    expect(await pipeline.runtime.item('late')).toMatchObject({ status: 'failed', error: { type: 'TaskTimeoutError' } });
    expect(await pipeline.runtime.item('gone')).toMatchObject({ status: 'cancelled' });
    expect(pipeline.getStats().handlersIgnoringSignal).toBe(2);
  });
});
