import { z } from 'zod';
import { resultSchema } from '../../schemas/item.ts';
import type { StreamSchemas } from '../../schemas/messages.ts';
import { knownItemIdSchema, knownNameSchema, knownStageNameSchema } from '../../schemas/names.ts';
import { ERROR_CODES, type ErrorCode, problemSchema } from '../../schemas/problem.ts';
import { PROBLEM_TYPE } from '../problems/problem.ts';
import { STATUS_OF } from '../problems/status.ts';

/** Schemas that many routes share: paths, list queries, replies. */

const idSchema = knownNameSchema.meta({ description: 'The id of a pipeline.', examples: ['orders'] });
export const pipelineParams = z.strictObject({ id: idSchema });
export const itemParams = z.strictObject({
  id: idSchema,
  itemId: knownItemIdSchema.meta({ description: 'The id of an item, percent-encoded.', examples: ['order-4711'] }),
});
export const feedParams = z.strictObject({
  id: idSchema,
  feedId: knownNameSchema.meta({ description: 'The id of a feed.', examples: ['my-batch-7'] }),
});
export const stageParams = z.strictObject({
  id: idSchema,
  stage: knownStageNameSchema.meta({ description: 'The name of a stage, percent-encoded.', examples: ['Price'] }),
});

/** Routes without parameters refuse them too: a misspelt `?mode=` must not pass in silence. */
export const noQuery = z.strictObject({});
/** For actions: no body, or an empty object. */
export const noBody = z
  .strictObject({})
  .meta({ id: 'NoBody', examples: [{}] })
  .optional();

export const LIMIT_DEFAULT = 100;
export const listShape = {
  limit: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .meta({
      description: `Maximum number of rows per page, by default ${LIMIT_DEFAULT}. A page of large rows ends early, with the row that brings it to 8 MiB; \`nextCursor\` says whether more follow.`,
      examples: [100],
    }),
  cursor: z.string().min(1).max(4096).optional().meta({ description: 'The `nextCursor` of the previous page.' }),
};
/** The query of a list without filters. */
export const listQuery = z.strictObject(listShape);
export const nextCursorSchema = z.string().nullable().meta({ description: 'Cursor for the next page; null on the last page.' });
export const retiredSchema = z
  .int()
  .meta({ description: 'Number of finished items that retention has removed and this list therefore omits.' });
export const resultPageSchema = z
  .object({ results: z.array(resultSchema), nextCursor: nextCursorSchema, retired: retiredSchema })
  .meta({ id: 'ResultPage' });
export const cancelledSchema = z.object({ cancelled: z.int() }).meta({ id: 'CancelReply' });
export const retriedSchema = z.object({ retried: z.int() }).meta({ id: 'RetryReply' });

/** One form of a reply. */
interface Media {
  /** The schema of the whole body, or of one line of NDJSON. */
  schema: z.ZodType;
  /** For event streams, whose text no schema describes. */
  stream?: StreamSchemas;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}

export interface Reply {
  description: string;
  headers?: Record<string, { type: string; description: string }>;
  content: Record<string, Media>;
}

/** A JSON reply. The example may be left out where the schema has one. */
export const reply = (schema: z.ZodType, description: string, example?: unknown): Reply => ({
  description,
  content: { 'application/json': { schema, ...(example === undefined ? {} : { example }) } },
});

/** For replies that tell where the new thing is. */
export const LOCATION = { location: { type: 'string', description: 'The path of the new resource.' } };
const RETRY_AFTER = { 'retry-after': { type: 'integer', description: 'Seconds to wait before sending the request again.' } };
const PROBLEM_HEADERS: Partial<Record<number, Reply['headers']>> = {
  401: { 'www-authenticate': { type: 'string', description: 'The scheme to authenticate with.' } },
  429: RETRY_AFTER,
  503: RETRY_AFTER,
};

/** The same list, one row a line, when `Accept` asks for it. */
export const NDJSON = 'application/x-ndjson';
export const listReply = (schema: z.ZodType, row: z.ZodType, description: string, examples: { page: unknown; row: unknown }): Reply => ({
  description: `${description} As \`${NDJSON}\` one row per line, up to \`limit\` or the end of the list.`,
  content: {
    'application/json': { schema, example: examples.page },
    [NDJSON]: { schema: row, example: examples.row },
  },
});

/** Added to the description of answers that may repeat an earlier one. */
export const REPLAYED = 'The header `idempotency-replayed: true` marks the answer to an earlier request with the same key.';

/** The error replies of a route, one a status, each naming its codes. Those that follow from what the route is are added by openapi.ts. */
export function problems(...codes: ErrorCode[]): Record<number, Reply> {
  const replies: Record<number, Reply> = {};
  for (const code of new Set(codes)) {
    const status = STATUS_OF[code];
    const known = replies[status];
    const before = known?.content[PROBLEM_TYPE]?.examples;
    const headers = PROBLEM_HEADERS[status];
    replies[status] = {
      description: known === undefined ? `\`${code}\`` : `${known.description}, \`${code}\``,
      ...(headers && { headers }),
      content: { [PROBLEM_TYPE]: { schema: problemSchema, examples: { ...before, [code]: { value: problemExample(code, status) } } } },
    };
  }
  return replies;
}

/** `instance` is added where the address is known, see openapi.ts. */
function problemExample(code: ErrorCode, status: number): object {
  const { title, fix, example } = ERROR_CODES[code];
  const { detail, ...more } = example;
  return { type: `urn:sluice:problem:${code}`, title, status, detail, instance: '', code, fix, ...more };
}
