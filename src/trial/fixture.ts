import { z } from 'zod';
import { SECRET_LENGTH_MIN } from '../config.ts';
import { nameSchema, PRIORITY_MAX, stageNameSchema } from '../schemas/names.ts';

/** The file of tests beside a definitions file: `orders.test.yaml` beside `orders.yaml`. docs/fixtures.schema.json is made from it. */

const replySchema = z
  .strictObject({
    status: z.int().min(200).max(599).default(200),
    headers: z.record(z.string(), z.string()).default({}),
    json: z.unknown().optional().meta({ description: 'The body, as JSON.' }),
    text: z.string().optional().meta({ description: 'The body, as it is.' }),
    afterSeconds: z
      .number()
      .min(0)
      .max(86_400)
      .default(0)
      .meta({ description: 'How long the answer takes. It takes no time here, and counts.' }),
    error: z.string().min(1).optional().meta({ description: 'No answer but a broken connection, with this message.' }),
  })
  .meta({ id: 'Reply' });
export type Reply = z.infer<typeof replySchema>;

const httpSchema = z
  .strictObject({
    method: z.string().optional().meta({ description: 'Any method without it.' }),
    url: z.string().min(1).meta({ description: 'The whole address; `*` stands for any characters.' }),
    body: z.unknown().optional().meta({
      description:
        'What the body must contain: of an object its members, of a list all its elements, of anything else the same; a JSON body is read as JSON.',
    }),
    replies: z
      .array(replySchema)
      .min(1)
      .meta({ description: 'The first request of an item gets the first one, and so on; the last one is repeated.' }),
    requests: z.int().min(0).optional().meta({ description: 'How many requests it must have had, those of all items together.' }),
  })
  .meta({
    id: 'HttpStandIn',
    description: 'Answers the requests that match it and no stand-in before it. A request that matches none fails the test.',
  });
export type HttpStandIn = z.infer<typeof httpSchema>;

const errorSchema = z.strictObject({
  type: z.string().optional(),
  message: z.string().optional().meta({ description: 'A part of the message.' }),
  status: z.int().optional(),
  stage: z.string().optional(),
  attempts: z.int().optional(),
});

const resultSchema = z
  .strictObject({
    id: z.string().optional(),
    value: z.unknown().optional().meta({ description: 'The whole value.' }),
    contains: z.unknown().optional().meta({ description: 'A part of the value: of an object some members, of a list all elements.' }),
    error: errorSchema.optional().meta({ description: 'The item must fail, and its error have these members.' }),
  })
  .meta({ id: 'ExpectedResult' });
export type ExpectedResult = z.infer<typeof resultSchema>;

const secretsSchema = z.record(z.string().regex(/^[A-Za-z_]\w*$/), z.string().min(SECRET_LENGTH_MIN));

const testSchema = z
  .strictObject({
    name: z.string().min(1).max(200),
    pipeline: nameSchema.optional().meta({ description: 'By default the only one of the definitions file.' }),
    secrets: secretsSchema.optional(),
    http: z.array(httpSchema).optional().meta({ description: 'Stand-ins of this test, which go before those of the file.' }),
    items: z.array(z.unknown()).min(1).max(10_000).meta({ description: 'As they are fed: an object with an `id` gives the item that id.' }),
    repeat: z.int().min(1).max(10_000).optional().meta({
      description: 'The items are fed so many times, with ids of their own: `a`, `a-2`, `a-3`. Then `results` are of the first time.',
    }),
    targetStage: stageNameSchema.optional(),
    priority: z.int().min(0).max(PRIORITY_MAX).optional(),
    results: z
      .array(resultSchema)
      .optional()
      .meta({ description: 'One for each item, in the order of the items. Without it, every item must complete.' }),
    seconds: z
      .strictObject({ min: z.number().min(0).optional(), max: z.number().min(0).optional() })
      .optional()
      .meta({ description: 'How long it may take until the last item has ended, with all waits.' }),
  })
  .meta({ id: 'DefinitionTest' });
export type DefinitionTest = z.infer<typeof testSchema>;

export const fixtureSchema = z
  .strictObject({
    definitions: z
      .string()
      .min(1)
      .optional()
      .meta({ description: 'The definitions file, relative to this one; by default the one beside it without `.test`.' }),
    secrets: secretsSchema
      .default({})
      .meta({ description: 'Values of `secrets.NAME` in templates, in place of the variables `SECRET_NAME`.' }),
    http: z.array(httpSchema).default([]),
    tests: z.array(testSchema).min(1),
  })
  .meta({ title: 'Tests of Sluice definitions' });
export type Fixture = z.infer<typeof fixtureSchema>;
