/**
 * Makes docs/definitions.schema.json and docs/fixtures.schema.json: the JSON Schemas of a definitions file and of a file of tests, for editors that complete and
 * check one while it is written.
 *
 *   node scripts/schema.ts           writes them
 *   node scripts/schema.ts --check   writes nothing, and fails when they are not as they would be written
 */
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { pipelineDefinitionSchema } from '../src/schemas/definition.ts';
import { limiterSettingsSchema } from '../src/schemas/limiter.ts';
import { nameSchema } from '../src/schemas/names.ts';
import type { TaskKind } from '../src/schemas/task.ts';
import { fixtureSchema } from '../src/trial/fixture.ts';
import { builtInTasks } from '../tasks/index.ts';
import { writeOrCheck } from './generated.ts';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

type Schema = { [keyword: string]: unknown };
const tasks = builtInTasks({ outputDir: 'unused', httpAllowHosts: [] });
const TEMPLATE: Schema = { type: 'string', pattern: '\\{\\{' };

/** The same schema, in which any value may be a template instead. */
function templated(schema: Schema, verbatim: readonly string[] = []): Schema {
  const within = (of: unknown): unknown => (typeof of === 'object' && of !== null ? orTemplate(templated(of as Schema)) : of);
  const { properties, items, additionalProperties, examples: _examples, $schema: _draft, ...rest } = schema;
  const members = Object.entries((properties ?? {}) as Record<string, Schema>);
  return {
    ...rest,
    ...(properties !== undefined && {
      properties: Object.fromEntries(members.map(([name, member]) => [name, verbatim.includes(name) ? member : within(member)])),
    }),
    ...(items !== undefined && { items: within(items) }),
    ...(additionalProperties !== undefined && { additionalProperties: within(additionalProperties) }),
  };
}

function orTemplate(schema: Schema): Schema {
  const { description, default: fallback, ...rest } = schema;
  if (Object.keys(rest).length === 0) return schema;
  return {
    ...(description !== undefined && { description }),
    ...(fallback !== undefined && { default: fallback }),
    anyOf: [rest, TEMPLATE],
  };
}

/** A name that is completed, or that with parameters which are those of the task; a name that is not built in is anybody's. */
function uses(kind: TaskKind, shape: Schema): Schema {
  const own = tasks.filter((task) => task.kind === kind);
  const described = own.map(({ name, description }) => ({ const: name, description }));
  return {
    anyOf: [
      { anyOf: [...described, { type: 'string', minLength: 1 }] },
      {
        ...shape,
        properties: { ...(shape.properties as Schema), task: { anyOf: [...described, { type: 'string', minLength: 1 }] } },
        allOf: own.map(({ name, paramsSchema, verbatim }) => ({
          if: { properties: { task: { const: name } } },
          // biome-ignore lint/suspicious/noThenProperty: it is JSON Schema's
          then: { properties: { with: templated(paramsSchema ?? {}, verbatim) } },
        })),
      },
    ],
  };
}

/** Stages name tasks, hooks and predicates: what can be named, and with which parameters, is filled in here. */
function stageSchema(stage: Schema): Schema {
  const properties = { ...(stage.properties as Record<string, Schema>) };
  const list = properties.tasks as { items: Schema };
  properties.tasks = { ...list, items: uses('task', shapeOf(list.items)) };
  for (const hook of ['onSuccess', 'onFailure', 'onSkip']) properties[hook] = uses('hook', shapeOf(properties[hook] as Schema));
  const breaker = properties.pauseAfterFailures as { properties: Record<string, Schema> };
  const hook = uses('hook', shapeOf(breaker.properties.hook as Schema));
  properties.pauseAfterFailures = { ...breaker, properties: { ...breaker.properties, hook } };
  properties.skipIf = uses('predicate', shapeOf(properties.skipIf as Schema));
  return { ...stage, properties };
}

function pipelineSchema(pipeline: Schema): Schema {
  const properties = { ...(pipeline.properties as Record<string, Schema>) };
  properties.onDone = uses('hook', shapeOf(properties.onDone as Schema));
  return { ...pipeline, properties };
}

function shapeOf(use: Schema): Schema {
  return (use.anyOf as Schema[]).find(({ type }) => type === 'object') as Schema;
}

const { $defs } = z.toJSONSchema(pipelineDefinitionSchema, { io: 'input' }) as unknown as { $defs: Record<string, Schema> };
const limits = z.toJSONSchema(z.record(nameSchema, limiterSettingsSchema), { io: 'input' }) as unknown as Schema & { $defs: Schema };
const pipelineRef = { $ref: '#/$defs/PipelineDefinition' };

const document = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Pipeline definitions of Sluice',
  description: 'Made by `npm run schema` from src/schemas and tasks.',
  if: { type: 'array' },
  // biome-ignore lint/suspicious/noThenProperty: it is JSON Schema's
  then: { items: pipelineRef },
  else: {
    if: { required: ['stages'] },
    // biome-ignore lint/suspicious/noThenProperty: it is JSON Schema's
    then: pipelineRef,
    else: {
      type: 'object',
      properties: {
        pipelines: { type: 'array', items: pipelineRef },
        limits: { type: 'object', additionalProperties: { $ref: '#/$defs/LimiterSettings' } },
      },
      additionalProperties: false,
      minProperties: 1,
    },
  },
  $defs: {
    ...$defs,
    PipelineDefinition: pipelineSchema($defs.PipelineDefinition as Schema),
    StageDefinition: stageSchema($defs.StageDefinition as Schema),
    LimiterSettings: limits.$defs.LimiterSettings,
  },
};

const fixtures = { description: 'Made by `npm run schema` from src/trial/fixture.ts.', ...z.toJSONSchema(fixtureSchema, { io: 'input' }) };

const text = (schema: object): string => `${JSON.stringify(schema, null, 2)}\n`;
writeOrCheck({ 'docs/definitions.schema.json': text(document), 'docs/fixtures.schema.json': text(fixtures) }, 'schema');
