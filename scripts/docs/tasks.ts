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

const templateExample = `tasks:
  - task: http_request
    with:
      url: https://api.example.com/orders/{{ $encodeUrlComponent(value.id) }}
      method: PUT
      headers: { authorization: 'Bearer {{ secrets.ORDERS }}' }
      body: '{{ value }}'`;

const moduleFields = [
  [
    '`run`',
    'required',
    'The function. A task’s is `run(value, ctx)` and answers the next value, a predicate’s `run(value, { itemId, sequenceId, metadata, params })` and answers whether to skip, a hook’s `run(itemId, valueOrError, { sequenceId, feedId, stage, attempts, metadata }, { pipeline, params, logger })`. It may be asynchronous.',
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
  ['`onAbort(listener)`', 'Calls `listener(reason)` when the signal would abort; cheaper, since no signal is made. Not in a thread.'],
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
  const tasks = builtInTasks({ outputDir: 'unused', httpAllowHosts: [] }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return page(
    'Tasks',
    'tasks/ and scripts/docs/tasks.ts',
    `A stage names tasks, \`tasks: [hash]\` or, with parameters, \`tasks: [{ task: hash, with: { field: digest } }]\`. Each gets the value that the one before it returned. \`GET /tasks\` lists what a running service has, with the JSON Schema of its parameters; parameters are checked when a definition is made, and every fault is listed.`,
    '## Templates',
    `Strings in the parameters may hold \`{{ … }}\`: a [JSONata](https://docs.jsonata.org) expression over \`{ value, metadata, itemId, sequenceId, secrets }\`, compiled with the definition and evaluated for each attempt. A string that is one template and nothing else becomes what the expression finds, with its type; otherwise what it finds is put into the text. An expression that finds nothing, or \`null\` in the middle of a text, fails the item at once: an address with a hole in it is worse than an error. The templates of one task may find 32 MB in an item together; one alone may find anything. Parameters that are texts of a language of their own, such as the \`expression\` of \`jsonata\`, hold no templates.`,
    codeBlock('yaml', templateExample),
    `\`secrets.NAME\` is the environment variable \`SECRET_NAME\`; a definition that names one that is not set is refused. In the log, in errors and in statuses of workers it is replaced by \`[secret NAME]\`, also where it stands in base64, in a URL or in JSON. A request that it is part of follows no redirect to another origin. What a task makes of it in an item’s value is its own affair.`,
    '## Built-in tasks',
    ...tasks.filter(({ kind }) => kind === 'task').flatMap(section),
    '## Built-in predicates',
    `A stage’s \`skipIf\` names a predicate. When it says so, the item skips the stage’s tasks and goes on with the value that it has.`,
    ...tasks.filter(({ kind }) => kind === 'predicate').flatMap(section),
    '## Built-in hooks',
    `A stage’s \`onSuccess\`, \`onFailure\` and \`onSkip\` name hooks. They are told of an item and change nothing about it. In the templates of an \`onFailure\` hook \`value\` is what the stage was given, and \`error\` has the \`type\` and \`message\`.`,
    ...tasks.filter(({ kind }) => kind === 'hook').flatMap(section),
    '## Your own',
    `\`TASKS_DIR\` names a folder of modules, \`.js\`, \`.mjs\` or \`.ts\` (types are taken out, so no enums), one a file. Each default export is a plain object, which needs no import of Sluice. Subfolders are left alone, so that tasks can share code. All files are checked at start, and every bad one is named.`,
    codeBlock('ts', ownTask),
    table(['Field', 'Default', 'What it is'], moduleFields),
    `Any error that \`run\` throws is retried as the stage says; an error with \`permanent: true\` is not, one with \`retryAfterSeconds\` is retried after so long.`,
    table(['In `ctx`', ''], contextFields),
  );
}

function section({ name, kind, description, paramsSchema }: TaskDeclaration): string[] {
  const schema = (paramsSchema ?? {}) as JsonSchema;
  const examples = (schema.examples ?? []) as unknown[];
  return [
    `### ${code(name)}`,
    description,
    table(['Parameter', 'Takes', 'Default', 'What for'], parameterRows(schema)),
    ...examples.map((example) => codeBlock('yaml', stringify(asUsed(name, kind, example), { lineWidth: 120 }))),
  ];
}

/** As it stands in the definition of a stage. */
function asUsed(name: string, kind: TaskDeclaration['kind'], example: unknown): object {
  const use = { task: name, with: example };
  if (kind === 'task') return { tasks: [use] };
  return kind === 'predicate'
    ? { skipIf: use }
    : { [name.endsWith('failure') ? 'onFailure' : name.endsWith('skip') ? 'onSkip' : 'onSuccess']: use };
}
