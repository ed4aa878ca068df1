import { z } from 'zod';
import { feedEventSchema } from '../../src/schemas/feed.ts';
import {
  itemStatusSchema,
  pipelineEventSchema,
  resultSchema,
  statusEventSchema,
  taskEventSchema,
  taskEventTypeSchema,
} from '../../src/schemas/item.ts';
import { code, codeBlock, fieldRows, type JsonSchema, page, table } from './markdown.ts';

const PAGE = `
let lastId;
async function follow(path, onStatus) {
  const response = await fetch(\`\${path}/tickets\`, { method: 'POST', headers: { authorization: \`Bearer \${key}\` } });
  if (!response.ok) throw new Error((await response.json()).detail);
  const query = new URLSearchParams({ ticket: (await response.json()).ticket, ...(lastId && { after: lastId }) });
  const source = new EventSource(\`\${path}?\${query}\`);
  source.addEventListener('status', (event) => {
    lastId = event.lastEventId;
    onStatus(JSON.parse(event.data));
  });
  source.onerror = () => {
    source.close();
    setTimeout(() => follow(path, onStatus), 1000);
  };
}
follow('/pipelines/orders/events', console.log);
`.trim();

const kinds: [name: string, sent: string, what: string, schema: z.ZodType][] = [
  ['status', 'by default', 'An item changed its status in a stage.', statusEventSchema],
  ['task', 'if listed in `types`', 'A task started, ended, is retried, failed, or reports progress.', taskEventSchema],
  ['result', 'if listed in `types`', 'An item ended; the data is the same as in the list of results.', resultSchema],
  ['pipeline', 'by default', 'A pipeline or a stage changed its state or its settings.', pipelineEventSchema],
  ['feed', 'by default', 'A feed is done: its upload is complete, and every item of it has ended.', feedEventSchema],
];

const statusMeanings: Record<z.infer<typeof itemStatusSchema>, string> = {
  queued: 'The item waits for a worker of the stage.',
  in_progress: 'A worker is running the item.',
  completed: 'The item has completed the stage; in the last stage this status is final.',
  failed: 'The last attempt failed. Final.',
  retrying: 'An attempt failed and another follows; meanwhile the item occupies no worker.',
  skipped: 'The stage’s predicate skipped the stage; the value is unchanged.',
  cancelled: 'The item was cancelled. Final.',
};

const taskMeanings: Record<z.infer<typeof taskEventTypeSchema>, string> = {
  start: 'An execution started.',
  complete: 'The execution returned; `durationSeconds` is its duration, without waiting for limits.',
  retry: 'The execution failed and is retried; `error` gives the reason.',
  fail: 'The execution failed and is not retried.',
  progress: 'The task reported its progress: `taskStatus`, `fraction`.',
};

const fieldMeanings = {
  id: 'The item’s id.',
  itemId: 'The item.',
  feedId: 'The feed of the item.',
  stage: 'The stage; null if the event concerns the whole pipeline.',
  status: 'One of the statuses above.',
  worker: 'The worker that holds the item, such as `Fetch-W0`; null if none does.',
  timestamp: 'Time of the event: RFC 3339, UTC, milliseconds.',
  taskName: 'The task.',
  eventType: 'One of the types above.',
  attempt: '1 for the first execution.',
  error: 'Type and message of the error; null if there is none.',
  durationSeconds: 'Duration of the execution; null if it has not ended.',
  taskStatus: 'The text that the task passed to `setStatus`.',
  fraction: 'The number that the task passed to `progress`, 0 to 1.',
  value: 'The result of the last stage.',
  sequenceId: 'Position of the item in feed order.',
  metadata: 'The metadata that was fed with the value.',
  pipelineId: 'The pipeline.',
  createdAt: 'When the feed was opened.',
  total: 'Accepted items.',
  completed: 'Items that have completed.',
  failed: 'Items that have failed.',
  cancelled: 'Items that were cancelled.',
  duplicates: 'Items not accepted because their id was already known.',
  uploadComplete: 'False only for a feed that was cancelled while it was being sent.',
  done: 'True.',
  results: 'The path of the results of the feed.',
  change: 'The kind of change.',
  state: 'The state after the change.',
  reason:
    'Why it changed, if nobody asked for that: a stage has paused itself (`pauseAfterFailures`), or the definition can no longer be used.',
};

const changeMeanings = {
  'started paused resumed draining stopping stopped': '`state`',
  'stage-paused stage-resumed': '`paused`, and `reason` if the stage had paused itself',
  tuned: 'all settings of the stage in effect: `workers`, `taskConcurrencyLimits`, `taskRateLimits`, `queueCapacity`',
  'created removed': 'null, and the stages with `name`, `workers` and names of `tasks`',
  redefined:
    'members that differ; `stages`, their names, if there are others or in another order; `changedStages`, members that differ by stage',
  'item-retried item-cancelled': '`itemId`, `status`, `stage`',
  'items-retried': 'the filter of the request; `failed`, the number of failed items; after it also `retried`',
  'items-cancelled': 'the filter of the request; `inFlight`, the number of unfinished items; after it also `cancelled`',
  'feed-cancelled': '`feedId`; after it also `cancelled`',
  'limiter-changed': 'name and settings of a shared `limiter`; an event in each pipeline that uses it',
};

const stream = `id: mf3k2x1a-4711
event: status
data: {"itemId":"a","feedId":"f1","stage":"Fetch","status":"completed","final":false,"worker":"Fetch-W0","timestamp":"2026-11-23T17:44:00.123Z","metadata":{}}`;

export function eventsPage(): string {
  return page(
    'Events',
    'src/schemas/item.ts and scripts/docs/events.ts',
    `\`GET /pipelines/:id/events\` is a stream of server-sent events about one pipeline, \`GET /events\` about all of them, with \`pipelineId\` first in each datum, the filter \`?pipelineId=\`, and ids of its own. With a store in a file they go on over restarts, as those of one pipeline do; with \`memory:\` they are valid until the service restarts. When a pipeline is removed while a reader is away, the reader may be told of a \`gap\` at the next start. Each change is one event; its data is one line of JSON.`,
    codeBlock('text', stream),
    '## Filters',
    `\`?types=\`, \`itemId=\`, \`feedId=\`, \`stage=\` and \`status=\` filter the stream; each may be repeated or take several comma-separated values. \`?snapshotSeconds=5\` adds an event \`snapshot\` with the whole dashboard, and \`?statsSeconds=1\` an event \`stats\` with the statistics that change, at once and then at this interval: at least 0.1 s, rounded to tenths below one second, to seconds below a minute, and to minutes above. \`GET /events\` also takes \`?overviewSeconds=2\`, an event \`overview\` with the numbers of all pipelines in one, and \`statsFor=\` and \`snapshotFor=\`, the pipelines whose \`stats\` and \`snapshot\` it sends.`,
    table(
      ['Event', 'Sent', 'Meaning'],
      kinds.map(([name, sent, what]) => [code(name), sent, what]),
    ),
    '## In a web page',
    `\`EventSource\` sends no headers, so it is admitted by a single-use ticket: \`POST /pipelines/:id/events/tickets\` (or \`POST /events/tickets\`), with the key, answers \`{ ticket, expiresAt }\`, and \`?ticket=\` opens that stream once within 60 s, with the rights that the key has then. \`EventSource\` reconnects by itself with the address it was given, whose ticket is used up; the answer is a 401 \`invalid-ticket\`, after which it gives up (\`readyState\` is 2). Open another one then, with a new ticket and \`after=\`, the id of the last event: nothing is missed and nothing repeated. Without keys it works in the same way. Proxies log addresses; a ticket in such a log is of no use to anybody. A ticket and a key in one request are a 400.`,
    codeBlock('js', PAGE),
    '## Resuming',
    `The events of a pipeline form one gap-free sequence, and each has an \`id\`. A client that was disconnected reconnects with the last id in \`Last-Event-ID\`, as browsers do automatically, or in \`?after=\`: it receives all events since, once and in order, then new ones as they happen. In statistics and snapshots, \`asOf\` names the last event they include: read one, subscribe after it, and miss nothing. With a durable store that event is on disk, so its id stays the same after a crash.`,
    `An id is \`<line>-<number>\`. The numbers go on for ever; the line is another one where a store may have lost events that were told: from each takeover of a cluster on, and from the start of a restored backup. An event keeps its id, so ids of one stream may begin differently: compare and keep them whole.`,
    `A pipeline keeps its newest events (\`EVENTS_KEPT\`). If requested events are gone, because they are too old, because the service restarted without a durable store, because the store has lost the event with that id (a backup was restored, or a log has lost its end), or because this reader was too slow, the stream reports it with an event \`gap\`, \`{ "missed": 12, "oldest": "…" }\`, without an id, and continues from the oldest event that is kept. \`missed\` is null when the id is not known: then nobody can say how many. A slow reader delays neither workers nor other readers.`,
    `The stream begins with \`retry: 1000\`. A comment line follows every \`SSE_HEARTBEAT_SECONDS\`. When the service shuts down, the last event is \`bye\`.`,
    ...kinds.flatMap(([name, , what, schema]) => [`## ${code(name)}`, what, ...meaningsOf(name), fields(schema)]),
  );
}

function meaningsOf(name: string): string[] {
  if (name === 'status') {
    const order = `An item that passes a stage is \`queued\`, \`in_progress\`, then \`completed\`. \`final\` is true on the one event that ends the item.`;
    return [
      order,
      table(
        ['Status', 'Meaning'],
        itemStatusSchema.options.map((status) => [code(status), statusMeanings[status]]),
      ),
    ];
  }
  if (name === 'task') {
    return [
      table(
        ['`eventType`', 'Meaning'],
        taskEventTypeSchema.options.map((type) => [code(type), taskMeanings[type]]),
      ),
    ];
  }
  if (name === 'pipeline') {
    return [
      'What an operator asks for has `by`, `before` and `after`; what a pipeline does by itself has none of them. `before` and `after` hold what was changed, without parameters of tasks, and at most some 8 KiB: more is `{ "stages": 64, "truncated": true }`. The same is a line `audit` of the log ([security](security.md#what-is-logged)).',
      table(
        ['`change`', '`before` and `after`'],
        Object.entries(changeMeanings).map(([change, what]) => [
          change
            .split(' ')
            .map((name) => code(name))
            .join(', '),
          what,
        ]),
      ),
    ];
  }
  if (name === 'feed') {
    return [
      'The event follows the one that ends the last item, or comes when the upload ends, whichever is later; a feed without items has one, too. A feed whose upload broke off has none until it has been continued with `?append=true` and is done; one that was cancelled has one, since it takes no more. A feed that goes on, because failed items are retried or a request appends, has another one when it is done again. The stream has it once it is stored, before the hook `onDone` of the pipeline is called. `feedId=` selects it, `itemId=` and `status=` leave it out.',
      'Clients should ignore events of types that they do not know: more may come to those sent by default.',
    ];
  }
  return [];
}

function fields(schema: z.ZodType): string {
  // A schema with an id of its own is a reference to itself among the definitions.
  const { $ref, $defs, ...inline } = z.toJSONSchema(schema) as JsonSchema & { $defs?: Record<string, JsonSchema> };
  const definitionOf = (reference: unknown): JsonSchema | undefined =>
    typeof reference === 'string' ? $defs?.[reference.split('/').at(-1) ?? ''] : undefined;
  const described = definitionOf($ref) ?? inline;
  // The words of an enum are told where it is used; other types have a table of their own.
  const properties = Object.entries(described.properties ?? {}).map(([name, property]): [string, JsonSchema] => {
    const named = definitionOf(property.$ref);
    return [name, named?.enum === undefined ? property : { ...named, ...property, $ref: undefined }];
  });
  return table(['Field', 'Type', 'Meaning'], fieldRows({ ...described, properties: Object.fromEntries(properties) }, fieldMeanings));
}
