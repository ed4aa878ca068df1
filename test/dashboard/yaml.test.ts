import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { definitionText, PIPELINE_DEFAULTS, STAGE_DEFAULTS } from '../../dashboard/state/definition-text.ts';
import { toYaml } from '../../dashboard/state/yaml.ts';
import { pipelineDefinitionSchema } from '../../src/schemas/definition.ts';

it('is written so that it reads back as the same, in YAML 1.2 and in 1.1', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('yes', 'No', 'null', '~', '1e3', '0x10', '- a', 'a: b', '# c', 'two\nlines\n', ' x', 'x ', '\n', 'a\n\n'),
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 3 },
      word,
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
      tie('list'),
      tie('map'),
    ),
    list: fc.array(tie('any'), { maxLength: 4 }),
    map: fc.dictionary(word, tie('any'), { maxKeys: 4 }),
  })).map;
  fc.assert(
    fc.property(value, (map) => {
      const plain = JSON.parse(JSON.stringify(map));
      expect(parse(toYaml(plain))).toEqual(plain);
      expect(parse(toYaml(plain), { version: '1.1' })).toEqual(plain);
    }),
  );
});

it('reads as a person would write it', () => {
  const definition = {
    id: 'orders',
    stages: [{ name: 'Check', tasks: ['echo', { task: 'jsonata', with: { expression: '{\n  "a": 1\n}' } }] }],
  };
  expect(toYaml(definition)).toBe(`id: orders
stages:
  - name: Check
    tasks:
      - echo
      - task: jsonata
        with:
          expression: |-
            {
              "a": 1
            }
`);
});

describe('a definition', () => {
  const written = {
    id: 'orders',
    stages: [{ name: 'Check', tasks: ['echo', { task: 'jsonata', with: { expression: '1' } }], workers: 4 }],
  };

  it('is shown without its defaults, and means the same', () => {
    const inForce = pipelineDefinitionSchema.parse(written);
    const text = definitionText(inForce);
    expect(parse(text)).toEqual(written);
    expect(pipelineDefinitionSchema.parse(parse(text))).toEqual(inForce);
  });

  it('has the defaults of the schema', () => {
    const { stages, id: _, ...rest } = pipelineDefinitionSchema.parse({ id: 'x', stages: [{ name: 'S', tasks: ['echo'] }] });
    const [{ name: __, tasks: ___, ...stage } = { name: '', tasks: [] }] = stages;
    expect(STAGE_DEFAULTS).toEqual(stage);
    expect(PIPELINE_DEFAULTS).toEqual(rest);
  });
});
