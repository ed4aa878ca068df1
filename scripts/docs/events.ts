import { z } from 'zod';
import {
  itemStatusSchema,
  pipelineEventSchema,
  resultSchema,
  statusEventSchema,
  taskEventSchema,
  taskEventTypeSchema,
} from '../../src/schemas/item.ts';
import { code, codeBlock, fieldRows, type JsonSchema, page, table } from './markdown.ts';

const kinds: [name: string, sent: string, what: string, schema: z.ZodType][] = [
  ['status', 'by default', 'An item changed its state in a stage.', statusEventSchema],
  ['task', 'when `types` asks for it', 'A task began, ended, is repeated, failed, or tells how far it is.', taskEventSchema],
  ['result', 'when `types` asks for it', 'An item ended; the datum is what the list of results has.', resultSchema],
  ['pipeline', 'by default', 'A pipeline or a stage changed its state or its settings.', pipelineEventSchema],
];

const statusMeanings: Record<z.infer<typeof itemStatusSchema>, string> = {
  queued: 'It waits for a worker of the stage.',
  in_progress: 'A worker runs it.',
  completed: 'The stage is done with it; after the last stage that is its end.',
  failed: 'Its last attempt failed. Its end.',
  retrying: 'An attempt failed and another one follows; until then it occupies no worker.',
  skipped: 'The stage’s predicate let it pass as it is.',
  cancelled: 'Someone cancelled it. Its end.',
};

const taskMeanings: Record<z.infer<typeof taskEventTypeSchema>, string> = {
  start: 'An execution begins.',
  complete: 'It returned; `durationSeconds` is what it took, without waiting for a limit.',
  retry: 'It failed and is repeated; `error` says why.',
  fail: 'It failed for good.',
  progress: 'The task said how it is getting on: `taskStatus`, `fraction`.',
};

const fieldMeanings = {
  id: 'The item’s id.',
  itemId: 'The item.',
  feedId: 'The feed that it came with.',
  stage: 'The stage where it happened; null when it is about the whole pipeline.',
  status: 'One of the states above.',
  worker: 'The worker that has the item, `Fetch-W0`; null when none has.',
  timestamp: 'When it happened: RFC 3339, UTC, milliseconds.',
  taskName: 'The task.',
  eventType: 'One of the types above.',
  attempt: '1 for the first execution.',
  error: 'Its type and message; null when there is none.',
  durationSeconds: 'How long the execution took; null when it has not ended.',
  taskStatus: 'What the task told with `setStatus`.',
  fraction: 'What the task told with `progress`, 0 to 1.',
  value: 'What the last stage made of the item.',
  sequenceId: 'Its place in the order of feeding.',
  metadata: 'What was fed beside the value.',
  pipelineId: 'The pipeline.',
  change: 'What was done to it.',
  state: 'Its state after that.',
};

const stream = `id: mf3k2x1a-4711
event: status
data: {"itemId":"a","feedId":"f1","stage":"Fetch","status":"completed","final":false,"worker":"Fetch-W0","timestamp":"2026-11-23T17:44:00.123Z","metadata":{}}`;

export function eventsPage(): string {
  return page(
    'Events',
    'src/schemas/item.ts and scripts/docs/events.ts',
    `\`GET /pipelines/:id/events\` is a stream of server-sent events about one pipeline, \`GET /events\` about all of them, with \`pipelineId\` first in each datum, \`?pipelineId=\` to narrow it, and ids of its own that hold until the service starts anew. Each change is one event; data is one line of JSON.`,
    codeBlock('text', stream),
    '## Choosing',
    `\`?types=\`, \`itemId=\`, \`feedId=\`, \`stage=\` and \`status=\` narrow the stream; each may be repeated or take several values with commas between. \`?snapshotSeconds=5\` adds an event \`snapshot\` with the whole dashboard that often, 0.1 s at the least, rounded to tenths of a second below one second, to seconds below a minute, to minutes beyond.`,
    table(
      ['Event', 'Sent', 'Tells'],
      kinds.map(([name, sent, what]) => [code(name), sent, what]),
    ),
    '## Never missing one',
    `Events of a pipeline are one sequence without gaps, and each carries its \`id\`. A client that was cut off connects again with the last one in \`Last-Event-ID\`, as browsers do by themselves, or in \`?after=\`: it gets everything since, once and in order, then what happens next. Statistics and snapshots say in \`asOf\` which event they include: read one, subscribe after it, and nothing lies between.`,
    `The newest events are kept (\`EVENTS_KEPT\`). When those asked for are gone, because they are too old, because the service started anew, or because this reader did not read, the stream says so with an event \`gap\`, \`{ "missed": 12, "oldest": "…" }\`, without an id, and goes on from the oldest one that is kept. A slow reader holds up neither a worker nor another reader.`,
    `The stream begins with \`retry: 1000\`. A comment line comes every \`SSE_HEARTBEAT_SECONDS\`. When the service shuts down, an event \`bye\` comes last.`,
    ...kinds.flatMap(([name, , what, schema]) => [`## ${code(name)}`, what, ...meaningsOf(name), fields(schema)]),
  );
}

function meaningsOf(name: string): string[] {
  if (name === 'status') {
    const order = `One item through one stage is \`queued\`, \`in_progress\`, \`completed\`. \`final\` is true on the one event that ends the item.`;
    return [
      order,
      table(
        ['Status', 'Means'],
        itemStatusSchema.options.map((status) => [code(status), statusMeanings[status]]),
      ),
    ];
  }
  if (name === 'task') {
    return [
      table(
        ['`eventType`', 'Means'],
        taskEventTypeSchema.options.map((type) => [code(type), taskMeanings[type]]),
      ),
    ];
  }
  return [];
}

function fields(schema: z.ZodType): string {
  // A schema with an id of its own is a reference to itself among the definitions.
  const { $ref, $defs, ...inline } = z.toJSONSchema(schema) as JsonSchema & { $defs?: Record<string, JsonSchema> };
  const described = typeof $ref === 'string' ? $defs?.[$ref.split('/').at(-1) ?? ''] : inline;
  return table(['Field', 'Type', 'Means'], fieldRows(described ?? inline, fieldMeanings));
}
