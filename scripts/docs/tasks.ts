import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import type { TaskDeclaration } from '../../src/engine/index.ts';
import { builtInTasks } from '../../tasks/index.ts';
import { code, codeBlock, type JsonSchema, page, parameterRows, table } from './markdown.ts';

const ownTask = `// mytasks/measure.ts, with TASKS_DIR=mytasks\n${readFileSync(new URL('../../examples/tasks/measure.ts', import.meta.url), 'utf8').trimEnd()}`;

const templateExample = `tasks:
  - task: http_request
    with:
      url: https://api.example.com/orders/{{ $encodeUrlComponent(value.id) }}
      method: PUT
      headers: { authorization: 'Bearer {{ secrets.ORDERS }}' }
      body: '{{ value }}'`;

const doneExample = `id: orders
onDone:
  task: http_notify
  with:
    url: https://hooks.example.com/batches/{{ $encodeUrlComponent(value.feedId) }}
stages:
  - { name: Check, tasks: [hash] }`;

const moduleFields = [
  [
    '`run`',
    'required',
    'The function, synchronous or asynchronous. For a task, `run(value, ctx)` returns the next value; for a predicate, `run(value, { itemId, sequenceId, metadata, params })` returns whether to skip; for a hook, `run(itemId, valueOrError, { sequenceId, feedId, stage, attempts, metadata }, { pipeline, params, logger })` returns nothing. In `onFailure` the third argument also has `value`, which came into the stage or the task that failed, and `input`, the value as it was fed.',
  ],
  ['`name`', 'the file’s', 'The name used in definitions. Names of built-in tasks are taken.'],
  ['`kind`', '`"task"`', '`"task"`, `"predicate"` or `"hook"`.'],
  ['`description`', 'none', 'Shown by `GET /tasks`.'],
  [
    '`params`',
    'no parameters',
    'A JSON Schema (draft 2020-12, `default`s are filled in) or a zod schema for `with`, also of predicates and hooks; the validated parameters are `params` of the argument that has them.',
  ],
  ['`concurrency`', 'no limit', 'Maximum number of concurrent executions in a stage, unless the stage sets its own limit.'],
  ['`rateLimit`', 'no limit', '`{ limit, perSeconds }`: at most `limit` starts in any window of `perSeconds`.'],
  ['`timeoutSeconds`', 'none', 'Timeout of an attempt, unless the stage sets its own.'],
  [
    '`thread`',
    '`false`',
    'For CPU-bound work: the task runs in a worker thread, and a timeout or cancellation really stops it. There are `THREADS` of them, each for one attempt at a time; `timeoutSeconds` begins when `run` does, and loading the module may take 30 s. Values are copied to and from the thread (structured clone).',
  ],
];

const contextFields = [
  ['`params`', 'The validated parameters.'],
  ['`itemId`, `sequenceId`, `metadata`', 'The item. The metadata is a copy: changes to it are not kept.'],
  ['`pipeline`, `stage`, `task`, `worker`', 'The place where the task runs.'],
  ['`attempt`', '1 for the first execution.'],
  [
    '`lastError`',
    'The error of the item’s last attempt that failed, in any stage: `{ type, message, stage, attempts }`, perhaps with `status`; null when none has failed.',
  ],
  ['`signal`', 'Aborts on timeout, cancellation and forced shutdown. It never aborts in a thread, which is terminated instead.'],
  [
    '`onAbort(listener)`',
    'Calls `listener(reason)` when `signal` would abort; cheaper, because no signal is created. Not available in a thread.',
  ],
  [
    '`setStatus(text, { minIntervalSeconds })`',
    'Shows the text in the worker’s state and as a `progress` event; returns `false` if it is too soon after the last one.',
  ],
  ['`progress(fraction)`', 'Reports the fraction that is done, 0 to 1.'],
  ['`permanent(message)`', 'Creates an error that is not retried: `throw ctx.permanent(…)`.'],
  ['`retryAfter(seconds, message)`', 'Creates an error that is retried after `seconds`.'],
  [
    '`trace`',
    'The place of this attempt in a trace, as headers to send on: `{ traceparent, tracestate }`, or null. See [tracing.md](tracing.md).',
  ],
  ['`logger`', 'Methods `debug`, `info`, `warn` and `error`, each `(fields, message)`.'],
];

const pauseExample = `pauseAfterFailures:
  count: 20
  withinSeconds: 60
  hook:
    task: http_notify
    with:
      url: https://hooks.example.com/alerts
      body:
        text: "{{ 'paused: ' & error.message }}"`;

const runOnFields = [
  [
    'none',
    'Your own tasks, `http_request` and `http_notify` go to a hand while hands are there, which is asked at each call; all else runs in the service.',
  ],
  ['`here`', 'The service runs everything, tasks with `thread: true` in its threads.'],
  ['`hands`', 'Every task, built in or not, goes to a hand, and waits while none is there.'],
  ['`thread`', 'Every task runs in a thread of the service, as with `thread: true`. Only your own tasks can.'],
];

export function tasksPage(): string {
  const tasks = builtInTasks({ outputDir: 'unused', httpAllowHosts: [] }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return page(
    'Tasks',
    'tasks/ and scripts/docs/tasks.ts',
    `A stage names tasks, \`tasks: [hash]\` or, with parameters, \`tasks: [{ task: hash, with: { field: digest } }]\`. Each task gets the value that the previous one returned. \`GET /tasks\` lists the tasks of a running service with the JSON Schema of their parameters. Parameters are checked when a definition is created, and all faults are reported.`,
    `Values are plain JSON data. When a task has ended, its result becomes what JSON makes of it, with every store: a \`Date\` or \`URL\` is a string, an instance of a class an object with its own members, \`-0\` is 0, members that are \`undefined\` are left out, getters are read once, and \`toJSON\` is called. The next task gets a copy of its own, so it sees the same whether the process was killed in between or not. A result that JSON cannot express (\`NaN\`, a \`bigint\`, a \`Map\`, an invalid date, a cycle), of which it would keep nothing (a \`Response\`, a stream, an \`Error\`, an instance with private fields and no \`toJSON\`), or that throws when it is read, fails the item with \`ValueNotJsonError\`, which says what it is and where.`,
    '## Templates',
    `Strings in the parameters may contain \`{{ … }}\`: a [JSONata](https://docs.jsonata.org) expression over \`{ value, metadata, itemId, sequenceId, lastError, secrets }\`, compiled with the definition and evaluated for each attempt. A string that consists of one template becomes the result of the expression, with its type; otherwise the result is inserted into the text. An expression without a result, or with the result \`null\` inside a text, fails the item at once: a URL with a hole in it is worse than an error. The results of several templates of a task may total 32 MB per item; a single template has no such limit. \`lastError\` is the error of the item’s last attempt that failed, in any stage, \`{ type, message, stage, attempts }\` and perhaps \`status\`, or null: it lets a request that is sent again say what was wrong before. Parameters in a language of their own, such as the \`expression\` of \`jsonata\`, cannot contain templates. A template that is more than a path of names is evaluated in a process of its own, and waiting for one counts into the time limit of the task; in \`jsonata\` and \`json_schema\` themselves the limit begins with the evaluation, and an item that waits for a process says \`waitingFor: thread\`.`,
    codeBlock('yaml', templateExample),
    `\`secrets.NAME\` is the value of the environment variable \`SECRET_NAME\`; a definition that names a secret that is not set is refused. The log, errors and worker statuses show \`[secret NAME]\` in its place, even if it is encoded in base64, a URL or JSON. A request that contains a secret follows no redirect to another origin. Values of items are not masked: a secret that a task puts there stays there.`,
    '## Built-in tasks',
    ...tasks.filter(({ kind }) => kind === 'task').flatMap(section),
    '## Built-in predicates',
    `A stage’s \`skipIf\` names a predicate. If it returns true, the item skips the stage’s tasks and continues with its value unchanged.`,
    ...tasks.filter(({ kind }) => kind === 'predicate').flatMap(section),
    '## Built-in hooks',
    `A stage’s \`onSuccess\`, \`onFailure\` and \`onSkip\` name hooks. They are notified about an item and cannot change it. In the templates of an \`onFailure\` hook, \`value\` is the value that entered the stage, and \`error\` has \`type\` and \`message\`.`,
    `The \`hook\` of \`pauseAfterFailures\` is told once, when too many items have failed and the stage is paused, and gets the last of them as \`onFailure\` would. Nothing waits for it.`,
    codeBlock('yaml', pauseExample),
    `The \`onDone\` of a pipeline, beside its \`stages\`, names a hook that is told when a feed is done: its upload is complete, and every item of it has ended. It takes the same hooks. \`itemId\` is the feed’s id; \`value\` is what \`GET /pipelines/:id/feeds/:feedId\` answers, with \`pipeline\` and, in \`results\`, the path of the feed’s results; \`stage\` is empty and \`metadata\` has no members.`,
    codeBlock('yaml', doneExample),
    `It is called after the end of the last item is stored: what it tells can be read. With a durable store it is called at least once for each such end, whatever happens to the process; a crash before its return is stored makes the next start call it again, so the receiver should expect a feed twice. It is given up, with an error in the log, when several starts in a row have ended while it ran. In memory it is called once, if the process lasts. A failure, or taking longer than 30 s, is logged and is a return like any other: it is not called again for that. A feed whose failed items are retried, or to which a request appends, goes on, and the hook is called again when it is done again. A feed without items, or of known ids alone, is done when its upload ends; one whose upload broke off is not done until it has been continued; one that was cancelled is done when its items have ended. Up to 16 calls of a pipeline run at a time, also while it is paused or stopped; the others wait. A shutdown waits for them within its time limit; removing a pipeline drops those that have not begun, unless \`mode=drain\`.`,
    ...tasks.filter(({ kind }) => kind === 'hook').flatMap(section),
    '## Where they run',
    `\`runOn\` of a stage says which process runs its tasks:`,
    table(['`runOn`', 'Tasks'], runOnFields),
    `Your own predicates and hooks go the way of the tasks of their stage, \`onDone\` as without \`runOn\`, and built-in ones but \`http_notify\` always run in the service. A task on a hand has the same \`ctx\`. An item that waits for a hand says \`waitingFor: hand\`, and its time limit begins when the hand calls the task; a hook or predicate is given up 30 s after it was due, and aborted there. Limits, retries and the order of items are those of the stage, wherever it runs.`,
    `Parameters go to a hand with their templates rendered, so that no hand needs a secret; an error that a hook is told has its secrets masked. When a hand is lost, its calls wait for another one: no attempt is used up. One that was lost with too many hands fails its item as \`PoisonItem\`. A handler that ignores its signal on a hand does not count among \`handlersIgnoringSignal\`.`,
    '## Your own',
    `\`TASKS_DIR\` names a folder of modules, \`.js\`, \`.mjs\`, \`.cjs\` or \`.ts\` (types are stripped, so enums are not supported), one task per file; the log names files that are left out. Each default export is a plain object and does not need to import Sluice. Subfolders are ignored, so that tasks can share code there. Packages are taken from a \`node_modules\` in the folder or above it: \`npm init -y && npm install NAME\` in the folder, and \`import\` or \`require\` it. A file is a module when it is written as one, also if \`package.json\` says \`"type": "commonjs"\`. A file that takes longer than 10 s to load is named in the log, and given up after a minute. All files are checked at start, and every invalid one is reported.`,
    codeBlock('ts', ownTask),
    `\`defineTask\`, \`definePredicate\` and \`defineHook\` add types to the object and change nothing else. The service resolves \`sluice/task\` wherever the folder is, and in worker threads. For your editor and \`tsc\`, either install the package in the folder (\`npm install --save-dev\` with the tarball that \`npm pack\` makes), or point \`tsconfig.json\` to a clone after \`npm run build\`: \`"paths": { "sluice/task": ["/path/to/sluice/dist/src/task.d.ts"] }\`, with \`"skipLibCheck": true\`. If \`params\` is a zod schema, the type of \`ctx.params\` is inferred; with a JSON Schema, name it as above.`,
    table(['Field', 'Default', 'Meaning'], moduleFields),
    `An error that \`run\` throws is retried as the stage defines. An error with \`permanent: true\` is not retried; one with \`retryAfterSeconds\` is retried after that time.`,
    table(['In `ctx`', ''], contextFields),
  );
}

function section({ name, kind, description, paramsSchema }: TaskDeclaration): string[] {
  const schema = (paramsSchema ?? {}) as JsonSchema;
  const examples = (schema.examples ?? []) as unknown[];
  return [
    `### ${code(name)}`,
    description,
    table(['Parameter', 'Type', 'Default', 'Meaning'], parameterRows(schema)),
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
