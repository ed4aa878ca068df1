import { describe, expect, it } from 'vitest';
import { describeThrown } from '../../src/engine/index.ts';
import { jsonSchema } from '../../tasks/json_schema.ts';
import { faultsIn, use } from './running.ts';

const person = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string', minLength: 1 }, mail: { type: 'string', format: 'email' }, kind: { enum: ['a', 'b'] } },
  additionalProperties: false,
};

async function thrownBy(run: (value: unknown) => Promise<unknown>, value: unknown): Promise<ReturnType<typeof describeThrown>> {
  return run(value).then(
    () => expect.fail('the value fits'),
    (error) => describeThrown(error),
  );
}

describe('a value that fits', () => {
  it('passes as the same object', async () => {
    const value = { name: 'Ada', mail: 'ada@example.org' };
    expect(await use(jsonSchema, { schema: person })(value)).toBe(value);
  });

  it.each([null, 0, '', false])('passes when it is %j and the schema allows it', async (value) => {
    expect(await use(jsonSchema, { schema: true })(value)).toBe(value);
  });
});

describe('a value that does not fit', () => {
  it('fails for good with every reason in the message', async () => {
    const thrown = await thrownBy(use(jsonSchema, { schema: person }), { mail: 'nowhere', kind: 'c', age: 3 });
    expect(thrown.permanent).toBe(true);
    expect(thrown.message).toContain("must have required property 'name'");
    expect(thrown.message).toContain('/mail must match format "email"');
    expect(thrown.message).toContain('/kind must be equal to one of the allowed values: "a", "b"');
    expect(thrown.message).toContain('must NOT have additional properties ("age")');
  });

  it('counts the reasons that have no room in the message', async () => {
    const value = Array.from({ length: 1000 }, (_, index) => index);
    const { message } = await thrownBy(use(jsonSchema, { schema: { items: { type: 'string' } } }), value);
    expect(message).toMatch(/^the value does not match the schema: \/0 must be string; \/1 must be string; .*; and \d+ more$/);
    expect(message.length).toBeLessThan(4096);
  });

  it('is told every type that is allowed', async () => {
    const { message } = await thrownBy(use(jsonSchema, { schema: { type: ['string', 'object'] } }), 3);
    expect(message).toBe('the value does not match the schema: it must be string or object');
  });
});

describe('the parameters', () => {
  it('want a schema', () => {
    expect(faultsIn(jsonSchema, undefined)).toMatchObject([{ path: '/schema' }]);
  });

  it('refuse an unknown field', () => {
    expect(faultsIn(jsonSchema, { schema: true, strict: true })).toEqual([{ path: '/strict', message: 'is an unknown field' }]);
  });

  it.each([
    ['a type that does not exist', { type: 'strin' }],
    ['a keyword that does not exist', { requird: ['name'] }],
    ['a reference that leads nowhere', { $ref: '#/$defs/none' }],
    ['a reference to elsewhere', { $ref: 'https://example.org/schema.json' }],
    ['a format that does not exist', { type: 'string', format: 'emial' }],
    ['a pattern that is none', { type: 'string', pattern: '(' }],
    ['an asynchronous schema', { $async: true }],
  ])('refuse %s when the definition is made', (_, schema) => {
    expect(faultsIn(jsonSchema, { schema })).toMatchObject([
      { path: '/schema', message: expect.stringMatching(/^is not a usable JSON Schema: ./) },
    ]);
  });

  it('let two uses have schemas of the same $id', async () => {
    const first = use(jsonSchema, { schema: { $id: 'urn:example:x', type: 'string' } });
    const second = use(jsonSchema, { schema: { $id: 'urn:example:x', type: 'number' } });
    expect([await first('a'), await second(1)]).toEqual(['a', 1]);
  });
});

describe('a schema of another draft', () => {
  // In each of them a keyword means what it does not mean in the others.
  it.each([
    ['http://json-schema.org/draft-07/schema#', { items: [{ type: 'string' }], additionalItems: false }, [['a'], ['a', 1]]],
    ['http://json-schema.org/draft-07/schema', { if: { type: 'string' }, else: { minimum: 3 } }, ['a', 2]],
    ['http://json-schema.org/draft-06/schema#', { dependencies: { a: ['b'] }, definitions: { x: {} } }, [{ a: 1, b: 2 }, { a: 1 }]],
    ['https://json-schema.org/draft-06/schema#', { exclusiveMinimum: 3, propertyNames: { maxLength: 1 } }, [4, 3]],
    ['https://json-schema.org/draft/2019-09/schema', { items: [{ const: 1 }], unevaluatedItems: false }, [[1], [1, 2]]],
    ['https://json-schema.org/draft/2020-12/schema', { prefixItems: [{ const: 1 }], items: false }, [[1], [1, 2]]],
  ])('%s means what it says', async (dialect, schema, [good, bad]) => {
    const run = use(jsonSchema, { schema: { $schema: dialect, ...schema } });
    expect(await run(good)).toEqual(good);
    expect(await thrownBy(run, bad)).toMatchObject({ permanent: true });
  });

  it.each(['http://json-schema.org/draft-04/schema#', 'http://example.com/mine', '', 7])('%j is told apart', (dialect) => {
    expect(faultsIn(jsonSchema, { schema: { $schema: dialect, type: 'object' } })).toEqual([
      { path: '/schema', message: expect.stringContaining('is none of draft 2020-12, 2019-09, 07 and 06') },
    ]);
  });

  it('is held to the meta-schema of its own', () => {
    expect(faultsIn(jsonSchema, { schema: { $schema: 'http://json-schema.org/draft-07/schema#', items: [5] } })).toEqual([
      { path: '/schema', message: expect.stringContaining('items') },
    ]);
  });
});

describe('a value that may be another the next time', () => {
  it('fails, and is tried again', async () => {
    expect(await thrownBy(use(jsonSchema, { schema: person, retryable: true }), {})).toMatchObject({
      type: 'InvalidAnswer',
      permanent: false,
      message: expect.stringContaining("must have required property 'name'"),
    });
    // One that is checked apart, too.
    const far = { $schema: 'http://json-schema.org/draft-07/schema#', ...person };
    expect(await thrownBy(use(jsonSchema, { schema: far, retryable: true }), {})).toMatchObject({
      type: 'InvalidAnswer',
      permanent: false,
    });
  });
});
