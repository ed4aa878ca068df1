import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import type { PipelineResult, PipelineRuntime } from '../src/engine/index.ts';
import { decodeCursor, encodeCursor } from '../src/http/routing/cursor.ts';
import { given, sendNdjson, wantsNdjson } from '../src/http/routing/lists.ts';
import { allWithPreviews, withPreviews } from '../src/http/routing/previews.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import {
  LIMIT_DEFAULT,
  listReply,
  listShape,
  nextCursorSchema,
  noQuery,
  pipelineParams,
  problems,
  reply,
  resultPageSchema,
  retiredSchema,
} from '../src/http/schemas/route-schemas.ts';
import { compileWriter, type Writer, type ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { errorGroupsSchema, groupIdSchema } from '../src/schemas/error-groups.ts';
import { historyQuerySchema, pipelineHistorySchema } from '../src/schemas/history.ts';
import {
  errorFilterShape,
  itemStatusSchema,
  itemSummaryExample,
  itemSummarySchema,
  resultExample,
  resultSchema,
} from '../src/schemas/item.ts';
import { knownNameSchema, knownStageNameSchema } from '../src/schemas/names.ts';
import { previewSchema } from '../src/schemas/preview.ts';
import {
  errorSummarySchema,
  pipelineStatsSchema,
  snapshotSchema,
  workerMetricsMapSchema,
  workerNamesSchema,
  workerStatesSchema,
} from '../src/schemas/stats.ts';

const tags = ['Looking'];

interface View {
  path: string;
  operationId: string;
  summary: string;
  description: string;
  schema: z.ZodType;
  read(runtime: PipelineRuntime): Promise<unknown>;
}

const VIEWS: View[] = [
  {
    path: 'stats',
    operationId: 'showStats',
    summary: 'Statistics',
    description:
      'Counters that agree with each other as of one event, `asOf`, which is stored. Subscribe to the events after it and miss nothing. ' +
      'While the store is not writable, they are as of the last event that is stored; rates, latencies and the bottleneck are always live.',
    schema: pipelineStatsSchema,
    read: (runtime) => runtime.stats(),
  },
  {
    path: 'workers',
    operationId: 'showWorkers',
    summary: 'Worker names by stage',
    description: 'A worker is one slot of a stage, `<Stage>-W<n>`.',
    schema: workerNamesSchema,
    read: (runtime) => runtime.workerNames(),
  },
  {
    path: 'workers/states',
    operationId: 'showWorkerStates',
    summary: 'Current state of each worker',
    description: 'The item and task of each worker, and the reason it waits.',
    schema: workerStatesSchema,
    read: (runtime) => runtime.workerStates(),
  },
  {
    path: 'workers/metrics',
    operationId: 'showWorkerMetrics',
    summary: 'Metrics of each worker',
    description: 'Items processed and failed, and processing time, which excludes waiting for limits.',
    schema: workerMetricsMapSchema,
    read: (runtime) => runtime.workerMetrics(),
  },
  {
    path: 'snapshot',
    operationId: 'showSnapshot',
    summary: 'Everything for a dashboard',
    description: 'Workers, statistics and errors as of one moment.',
    schema: snapshotSchema,
    read: (runtime) => runtime.snapshot(),
  },
  {
    path: 'errors',
    operationId: 'showErrors',
    summary: 'Summary of failures',
    description: 'Counts by type and by stage, and the newest failures.',
    schema: errorSummarySchema,
    read: (runtime) => runtime.errors(),
  },
];

const afterSchema = z
  .int()
  .min(0)
  .optional()
  .meta({ description: 'Only rows after this sequence id.', examples: [0] });
const resultsQuery = z.strictObject({
  ...listShape,
  preview: previewSchema,
  status: z.enum(['completed', 'failed', 'cancelled', 'all']).default('completed').meta({ description: 'How the items ended.' }),
  after: afterSchema,
  feedId: knownNameSchema.optional().meta({ description: 'Only items of this feed.' }),
});

const groupsQuery = z.strictObject({
  feedId: knownNameSchema.optional().meta({ description: 'Only items of this feed.' }),
  stage: knownStageNameSchema.optional().meta({ description: 'Only groups of this stage.' }),
  limit: z
    .int()
    .min(1)
    .max(1000)
    .optional()
    .meta({ description: `The most groups, by default ${LIMIT_DEFAULT}.`, examples: [10] }),
});

const itemsQuery = z.strictObject({
  ...listShape,
  status: z
    .array(itemStatusSchema)
    .optional()
    .meta({ description: 'Repeatable or comma-separated.', examples: [['queued', 'in_progress']] }),
  stage: knownStageNameSchema.optional().meta({ description: 'Only items in this stage.' }),
  feedId: knownNameSchema.optional().meta({ description: 'Only items of this feed.' }),
  ...errorFilterShape,
  group: groupIdSchema.optional(),
  order: z
    .enum(['asc', 'desc'])
    .default('asc')
    .meta({ description: '`desc`: the newest items, those with the highest sequence ids, first.' }),
  q: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .meta({
      description: 'Only items whose id, or whose message of an error, contains this text, in whatever case.',
      examples: ['timeout'],
    }),
  minAttempts: z.int().min(0).optional().meta({ description: 'Only items with at least so many `totalAttempts`.' }),
  include: z.literal('input').optional().meta({ description: 'Also the value that was fed, of items that have not completed.' }),
  after: afterSchema,
});
const itemsSchema = z
  .object({ items: z.array(itemSummarySchema), nextCursor: nextCursorSchema, retired: retiredSchema })
  .meta({ id: 'ItemPage' });

/** Statistics, workers, errors, results and items of a pipeline. */
const looking: FastifyPluginAsync<RouteDeps> = async (instance, { host }) => {
  const app = instance.withTypeProvider<ZodTypes>();
  const writeResult = compileWriter(resultSchema);
  const writeItem = compileWriter(itemSummarySchema);

  for (const { path, operationId, summary, description, schema, read } of VIEWS) {
    app.get(
      `/pipelines/:id/${path}`,
      {
        config: { scope: 'read' },
        schema: {
          tags,
          operationId,
          summary,
          description,
          querystring: noQuery,
          params: pipelineParams,
          response: { 200: reply(schema, summary) },
        },
      },
      async ({ params }) => read(host.get(params.id)),
    );
  }

  app.get(
    '/pipelines/:id/errors/groups',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'listErrorGroups',
        summary: 'Failures by their message',
        description:
          'Groups the items that are failed now: those of one stage and one type of error whose messages differ only in ids, numbers and quoted parts. At most 1000 groups are counted one by one. ' +
          'The first request after a start looks at every failed item, and one with `feedId` at those of the feed.',
        querystring: groupsQuery,
        params: pipelineParams,
        response: { 200: reply(errorGroupsSchema, 'The groups with the most items first.') },
      },
    },
    async ({ params, query }) => host.get(params.id).errorGroups({ ...given(query), limit: query.limit ?? LIMIT_DEFAULT }),
  );

  app.get(
    '/pipelines/:id/history',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'showHistory',
        summary: 'What was measured in the past',
        description:
          'Of each stage, bucket by bucket: what came and went, how much waited, what its workers did, how long items waited and ran. The last hour is kept in buckets of five seconds, a week in buckets of five minutes; ' +
          'several of them as one have their counts added, their queue and workers as at the end, and as quantiles the mean of theirs. With a durable store it outlasts a restart, but for the last minute and the last five after a crash. ' +
          'The newest bucket may have more to come. A stage that is renamed begins anew under its new name.',
        querystring: historyQuerySchema,
        params: pipelineParams,
        response: { 200: reply(pipelineHistorySchema, 'The buckets of each stage.') },
      },
    },
    async ({ params, query }) => host.get(params.id).history(query),
  );

  app.get(
    '/pipelines/:id/results',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'listResults',
        summary: 'Results',
        description:
          'In feed order, regardless of the order of completion. Failed and cancelled items have their `input`: as NDJSON, they can be fed again as they are. A page by `feedId` and `status` takes a second at most: it may have fewer results than `limit`, or none; the list goes on as long as there is a `nextCursor`.',
        querystring: resultsQuery,
        params: pipelineParams,
        response: {
          200: listReply(resultPageSchema, resultSchema, 'A page of results.', {
            page: {
              results: [resultExample],
              nextCursor: 'eyJsaXN0IjoiL3BpcGVsaW5lcy9vcmRlcnMvcmVzdWx0cyIsImZpbHRlcnMiOiJ7fSIsImFmdGVyIjoxMn0',
              retired: 0,
            },
            row: resultExample,
          }),
          ...problems('invalid-cursor'),
        },
      },
    },
    async (request, response) => {
      const { limit, cursor, after, preview, ...filters } = request.query;
      const runtime = host.get(request.params.id);
      const scope = { list: `/pipelines/${request.params.id}/results`, filters };
      const start = Number(decodeCursor(scope, cursor) ?? after ?? 0);
      const read = (from: number, most: number) => runtime.results({ ...given(filters), after: from, limit: most });
      const write = preview === undefined ? writeResult : (row: PipelineResult) => JSON.stringify(withPreviews(row, preview));
      if (wantsNdjson(request)) return sendNdjson(response, { read, write: write as Writer, after: start, limit });
      const page = await read(start, limit ?? LIMIT_DEFAULT);
      const rest = { nextCursor: encodeCursor(scope, page.next), retired: page.retired };
      if (preview === undefined) return { results: page.rows, ...rest };
      const results = await allWithPreviews(page.rows, preview);
      return response.serializer(JSON.stringify).send({ results, ...rest } as never);
    },
  );

  app.get(
    '/pipelines/:id/items',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'listItems',
        summary: 'Items',
        description:
          'Where each item is, in feed order or the other way round. For `errorType`, `errorStatus`, `group`, `q` and `minAttempts` there is no index: up to 50 000 items are looked at for a page. Such a page, and one by `stage` or by `feedId` and `status`, takes a second at most, so that it may have fewer items than `limit`, or none; the list goes on as long as there is a `nextCursor`. ' +
          'With `order=desc`, `after` means the items with lower sequence ids.',
        querystring: itemsQuery,
        params: pipelineParams,
        response: {
          200: listReply(itemsSchema, itemSummarySchema, 'A page of items.', {
            page: { items: [itemSummaryExample], nextCursor: null, retired: 0 },
            row: itemSummaryExample,
          }),
          ...problems('invalid-cursor'),
        },
      },
    },
    async (request, response) => {
      const { limit, cursor, after, ...filters } = request.query;
      const { q: text, ...others } = filters;
      const runtime = host.get(request.params.id);
      const scope = { list: `/pipelines/${request.params.id}/items`, filters };
      const start = Number(decodeCursor(scope, cursor) ?? after ?? (filters.order === 'desc' ? Number.MAX_SAFE_INTEGER : 0));
      const read = (from: number, most: number) => runtime.items({ ...given({ ...others, text }), after: from, limit: most });
      if (wantsNdjson(request)) return sendNdjson(response, { read, write: writeItem, after: start, limit });
      const page = await read(start, limit ?? LIMIT_DEFAULT);
      return { items: page.rows, nextCursor: encodeCursor(scope, page.next), retired: page.retired };
    },
  );
};
export default looking;
