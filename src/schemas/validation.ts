import { z } from 'zod';
import { definitionExample, pipelineDefinitionSchema } from './definition.ts';
import { faultSchema } from './problem.ts';
import { movedSchema, stageChangeSchema } from './redefinition.ts';

const definitionFaultSchema = faultSchema
  .extend({
    line: z.int().optional().meta({ description: 'The line in a YAML body, from 1.' }),
    column: z.int().optional().meta({ description: 'The column in that line, from 1.' }),
  })
  .meta({ id: 'DefinitionFault', examples: [{ path: '/stages/0/workers', message: 'must be >= 1', line: 4, column: 14 }] });
export type DefinitionFault = z.infer<typeof definitionFaultSchema>;

/** The outcome of a check. */
export const validationSchema = z
  .object({
    valid: z.boolean().meta({ description: 'Whether a `PUT` of this definition would be accepted now.' }),
    errors: z.array(definitionFaultSchema).meta({ description: 'Everything that is wrong; empty if it is valid.' }),
    definition: pipelineDefinitionSchema.optional().meta({ description: 'The definition with all defaults filled in, if it is valid.' }),
    changes: z
      .array(stageChangeSchema)
      .optional()
      .meta({ description: 'With `against`: the changes to the stages, as a `PUT` would make them.' }),
    changedFields: z.array(z.string()).optional().meta({
      description: 'With `against`: the fields of the pipeline itself that differ, such as `retention`; empty if there are none.',
    }),
    moved: z
      .array(movedSchema)
      .optional()
      .meta({ description: 'With `against`: for each stage that would be removed, where the items that it has now would go.' }),
  })
  .meta({
    id: 'Validation',
    examples: [
      {
        valid: true,
        errors: [],
        definition: definitionExample,
        changes: [{ stage: 'Enrich', change: 'removed' }],
        changedFields: [],
        moved: [{ from: 'Enrich', to: 'Price', items: 12, running: 1 }],
      },
    ],
  });
export type Validation = z.infer<typeof validationSchema>;
