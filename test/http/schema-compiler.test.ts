import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { needsZod } from '../../src/http/schemas/json-schema.ts';
import { compileWriter, validatorCompiler } from '../../src/http/schemas/schema-compiler.ts';
import { feedBodySchema, runReplySchema } from '../../src/schemas/control.ts';
import { pipelineDefinitionSchema } from '../../src/schemas/definition.ts';
import type { Fault } from '../../src/schemas/problem.ts';
import { pipelineStatsSchema } from '../../src/schemas/stats.ts';

type Checked = { value?: unknown; error?: { code: string; errors: Fault[] } };
const check = (schema: z.ZodType, httpPart: string, data: unknown): Checked =>
  validatorCompiler({ schema, httpPart, method: 'POST', url: '/' })(data) as Checked;

describe('needsZod', () => {
  it('is false for what JSON Schema can say', () => {
    expect(needsZod(z.strictObject({ a: z.int().min(1).default(2), b: z.array(z.string().max(3)).optional(), c: z.unknown() }))).toBe(
      false,
    );
  });

  it('finds refinements and transformations at any depth', () => {
    const refined = z.string().refine(() => true);
    for (const schema of [
      refined,
      z.object({ a: z.array(refined.optional()) }),
      z.record(z.string(), refined),
      z.string().transform(Number),
    ]) {
      expect(needsZod(schema)).toBe(true);
    }
    expect(needsZod(feedBodySchema)).toBe(true);
  });
});

describe('validating', () => {
  const query = z.strictObject({
    limit: z.int().min(1).max(10).default(5),
    on: z.boolean().optional(),
    status: z.array(z.enum(['a', 'b'])).optional(),
  });

  it('coerces queries, fills defaults and splits lists', () => {
    expect(check(query, 'querystring', { limit: '7', on: 'true', status: 'a,b' }).value).toEqual({
      limit: 7,
      on: true,
      status: ['a', 'b'],
    });
    expect(check(query, 'querystring', { status: ['a', 'b'] }).value).toEqual({ limit: 5, status: ['a', 'b'] });
  });

  it('fills defaults of an empty query, and misses what it needs', () => {
    expect(check(query, 'querystring', {}).value).toEqual({ limit: 5 });
    expect(check(z.strictObject({ a: z.string().optional() }), 'querystring', {}).value).toEqual({});
    expect(check(z.strictObject({ a: z.string() }), 'querystring', {}).error?.errors).toEqual([{ path: '/a', message: 'is required' }]);
    expect(check(z.strictObject({}), 'querystring', { mode: 'x' }).error?.errors).toEqual([
      { path: '/mode', message: 'is an unknown field' },
    ]);
  });

  it('never coerces bodies', () => {
    expect(check(query, 'body', { limit: '7' }).error?.errors).toEqual([{ path: '/limit', message: 'must be an integer' }]);
    expect(check(feedBodySchema, 'body', { items: [], priority: '1' }).error?.errors).toEqual([
      { path: '/priority', message: 'must be a number' },
    ]);
  });

  it('lists every fault at its JSON pointer', () => {
    const { error } = check(query, 'querystring', { limit: '0', nope: '1', status: 'a,c' });
    expect(error?.code).toBe('invalid-input');
    expect(error?.errors).toEqual(
      expect.arrayContaining([
        { path: '/limit', message: 'must be >= 1' },
        { path: '/nope', message: 'is an unknown field' },
        { path: '/status/1', message: 'must be one of "a", "b"' },
      ]),
    );
    expect(error?.errors).toHaveLength(3);
  });

  it('finds what only zod can say, in the words of the branch that was meant', () => {
    const bad = {
      id: 'constructor',
      stages: [
        { name: 'A', tasks: [{ task: 1 }, 3, { task: 'x', wiht: {} }] },
        { tasks: ['x'], 'a/b': 1 },
      ],
    };
    expect(check(pipelineDefinitionSchema, 'body', bad).error?.errors).toEqual(
      expect.arrayContaining([
        { path: '/id', message: 'is a reserved name' },
        { path: '/stages/0/tasks/0/task', message: 'must be a string' },
        { path: '/stages/0/tasks/1', message: 'must be a string or an object' },
        { path: '/stages/0/tasks/2/wiht', message: 'is an unknown field' },
        { path: '/stages/1/name', message: 'is required' },
        { path: '/stages/1/a~1b', message: 'is an unknown field' },
      ]),
    );
  });

  it('takes no body for an optional one, and asks for a required one', () => {
    const body = z.strictObject({ a: z.int() });
    expect(check(body.optional(), 'body', null)).toEqual({ value: undefined });
    expect(check(body, 'body', null).error?.errors).toEqual([{ path: '', message: 'is required' }]);
    expect(check(feedBodySchema, 'body', null).error?.errors).toEqual([{ path: '', message: 'is required' }]);
  });

  it('bounds the list of faults', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1]));
    expect(check(query, 'body', many).error?.errors).toHaveLength(100);
  });
});

describe('writing', () => {
  const write = compileWriter(runReplySchema);
  const reply = (value: unknown) => ({
    feedId: 'f',
    results: [{ id: 'a', value, sequenceId: 1, metadata: {}, error: null, feedId: 'f' }],
    errorSummary: { totalFailed: 0, errorsByType: {}, errorsByStage: {}, failedItems: [] },
  });
  const written = (value: unknown): unknown => JSON.parse(write(reply(value))).results[0].value;

  it('writes any JSON as a value', () => {
    for (const value of [null, 0, '', false, 'undefined', { a: [1, { b: null }] }, []]) expect(written(value)).toEqual(value);
  });

  it('never fails on a value that is no JSON', () => {
    const cycle: Record<string, unknown> = {};
    cycle.me = cycle;
    expect(written(undefined)).toBeNull();
    expect(written(Number.NaN)).toBeNull();
    expect(written(() => 1)).toBeNull();
    expect(written(Symbol('s'))).toBeNull();
    expect(written(12n)).toBe('12');
    expect(written(cycle)).toEqual({ me: '[circular]' });
  });

  it('writes null where null is allowed, and a record with its keys', () => {
    const text = compileWriter(pipelineStatsSchema)({
      latencySeconds: { p50: null, p90: 1.5, p99: null },
      bottleneck: null,
      queueSizes: { A: 2 },
    });
    expect(JSON.parse(text)).toEqual({ latencySeconds: { p50: null, p90: 1.5, p99: null }, bottleneck: null, queueSizes: { A: 2 } });
  });
});
