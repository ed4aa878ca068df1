import { stringify } from 'yaml';
import type { TaskDeclaration } from '../../src/engine/index.ts';
import { builtInTasks } from '../../tasks/index.ts';
import { code, codeBlock, type JsonSchema, page, parameterRows, table } from './markdown.ts';

const ownTask = `// mytasks/measure.ts, with TASKS_DIR=mytasks
export default {
  description: 'Adds how large the document at a URL is.',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: { field: { type: 'string', default: 'bytes' } },
  },
  concurrency: 4,
  timeoutSeconds: 30,
  async run(value, ctx) {
    const response = await fetch(value.url, { signal: ctx.signal });
    if (response.status === 404) throw ctx.permanent(\`there is no \${value.url}\`);
    if (response.status === 429) throw ctx.retryAfter(Number(response.headers.get('retry-after') ?? 60));
    ctx.setStatus('reading');
    const { byteLength } = await response.arrayBuffer();
    return { ...value, [ctx.params.field]: byteLength };
  },
};`;

const moduleFields = [
  [
    '`run`',
    'required',
    'The function. A task’s is `run(value, ctx)` and answers the next value, a predicate’s `run(value)` and answers whether to skip, a hook’s `run(itemId, valueOrError, info)`. It may be asynchronous.',
  ],
  ['`name`', 'the file’s', 'What definitions call it. A built-in task’s name cannot be taken.'],
  ['`kind`', '`"task"`', '`"task"`, `"predicate"` or `"hook"`.'],
  ['`description`', 'none', 'Shown by `GET /tasks`.'],
  [
    '`params`',
    'takes none',
    'A JSON Schema (draft 2020-12, `default`s are filled in) or a zod schema of what stands under `with`; the checked result is `ctx.params`.',
  ],
  ['`concurrency`', 'no limit', 'At most so many at a time in a stage, unless the stage has a limit of its own.'],
  ['`rateLimit`', 'no limit', '`{ limit, perSeconds }`: at most so many starts in any window of that length.'],
  ['`timeoutSeconds`', 'none', 'How long an attempt may take, unless the stage says otherwise.'],
  [
    '`thread`',
    '`false`',
    'For work that keeps a processor busy: it runs in a worker thread, and a timeout or a cancel really ends it. What goes in and out is copied (structured clone).',
  ],
];

const contextFields = [
  ['`params`', 'The checked parameters.'],
  ['`itemId`, `sequenceId`, `metadata`', 'Of the item.'],
  ['`pipeline`, `stage`, `task`, `worker`', 'Where it runs.'],
  ['`attempt`', '1 for the first execution.'],
  ['`signal`', 'Aborts on timeout, cancel and forced shutdown. In a thread it never does; there the thread is ended.'],
  [
    '`setStatus(text, { minIntervalSeconds })`',
    'Shows in the worker’s state and as a `progress` event; `false` when it was too soon after the last one.',
  ],
  ['`progress(fraction)`', 'How much is done, 0 to 1.'],
  ['`permanent(message)`', 'Makes an error that is not retried: `throw ctx.permanent(…)`.'],
  ['`retryAfter(seconds, message)`', 'Makes an error that is retried after so long.'],
  ['`logger`', '`debug`, `info`, `warn` and `error`, each `(fields, message)`.'],
];

export function tasksPage(): string {
  const tasks = builtInTasks({ outputDir: 'unused' }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return page(
    'Tasks',
    'tasks/ and scripts/docs/tasks.ts',
    `A stage names tasks, \`tasks: [hash]\` or, with parameters, \`tasks: [{ task: hash, with: { field: digest } }]\`. Each gets the value that the one before it returned. \`GET /tasks\` lists what a running service has, with the JSON Schema of its parameters; parameters are checked when a definition is made, and every fault is listed.`,
    '## Built in',
    ...tasks.flatMap(section),
    '## Your own',
    `\`TASKS_DIR\` names a folder of modules, \`.js\`, \`.mjs\` or \`.ts\` (types are taken out, so no enums), one a file. Each default export is a plain object, which needs no import of Sluice. Subfolders are left alone, so that tasks can share code. All files are checked at start, and every bad one is named.`,
    codeBlock('ts', ownTask),
    table(['Field', 'Default', 'What it is'], moduleFields),
    `Any error that \`run\` throws is retried as the stage says; an error with \`permanent: true\` is not, one with \`retryAfterSeconds\` is retried after so long.`,
    table(['In `ctx`', ''], contextFields),
  );
}

function section({ name, description, paramsSchema }: TaskDeclaration): string[] {
  const schema = (paramsSchema ?? {}) as JsonSchema;
  const examples = (schema.examples ?? []) as unknown[];
  return [
    `### ${code(name)}`,
    description,
    table(['Parameter', 'Takes', 'Default', 'What for'], parameterRows(schema)),
    ...examples.map((example) => codeBlock('yaml', stringify({ tasks: [{ task: name, with: example }] }, { lineWidth: 120 }))),
  ];
}
