import { z } from 'zod';

export const valuePreviewSchema = z
  .object({
    text: z.string().meta({ description: 'The beginning of the value as JSON.' }),
    bytes: z.int().meta({ description: 'How long all of it is, in bytes of UTF-8.' }),
    complete: z.boolean().meta({ description: 'Whether `text` is all of it.' }),
  })
  .meta({ id: 'ValuePreview', examples: [{ text: '{"sku":"A7","tot', bytes: 27, complete: false }] });
export type ValuePreview = z.infer<typeof valuePreviewSchema>;

export const previewSchema = z
  .int()
  .min(1)
  .max(100_000)
  .optional()
  .meta({
    description: 'Only so many characters of `value` and `input` as JSON: `valuePreview` and `inputPreview` take their places.',
    examples: [2000],
  });

/** The members that take the places of `value` and `input`. */
export const previewShape = {
  valuePreview: valuePreviewSchema.optional().meta({ description: 'In place of `value`, if `preview` asks for it.' }),
  inputPreview: valuePreviewSchema.optional().meta({ description: 'In place of `input`, if `preview` asks for it.' }),
};
