/**
 * A process that evaluates for the service, one call after the other, until its limits or the service end it. It gets everything in
 * messages: it has no environment, and nothing that it evaluates can open or write anything.
 */
import { enableCompileCache } from 'node:module';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { weightOf } from '../../src/schemas/value-weight.ts';
import { type Answer, type Answers, type Batch, EVALUATION_LIMITS, type ExpressionInput, type Work } from './evaluation.ts';

// Before the rest is loaded: the next one is ready sooner.
enableCompileCache();
const [{ prepareExpression }, { prepareSchema }] = await Promise.all([import('./evaluate-expression.ts'), import('./evaluate-schema.ts')]);

/** Answers are sent together, but none is held back for longer. */
const FLUSH_MS = 5;
const PREPARED_MAX = 500;
const MESSAGE_MAX = 4000;
const PARENT_LOOK_MS = 1000;

type Evaluate = (input: unknown) => unknown;

const prepared = new Map<string, Evaluate>();

function evaluateOf({ kind, source, timeoutMs }: Work): Evaluate {
  const key = `${kind} ${timeoutMs} ${source}`;
  let evaluate = prepared.get(key);
  if (evaluate === undefined) {
    evaluate = kind === 'schema' ? prepareSchema(source) : evaluateExpression(source, timeoutMs);
    if (prepared.size >= PREPARED_MAX) prepared.clear();
    prepared.set(key, evaluate);
  }
  return evaluate;
}

function evaluateExpression(source: string, timeoutMs: number): Evaluate {
  const evaluate = prepareExpression(source, timeoutMs);
  return (given) => evaluate((given as ExpressionInput).input, (given as ExpressionInput).bindings);
}

async function answerOf(work: Work, input: unknown): Promise<Answer> {
  const start = performance.now();
  try {
    const value = await evaluateOf(work)(input);
    const { outputWeight } = EVALUATION_LIMITS;
    if (weightOf(value, outputWeight) > outputWeight)
      throw new Error(`its result is larger than ${outputWeight / 1_048_576} MB (output limit)`);
    return { ok: true, value, ms: performance.now() - start };
  } catch (error) {
    // The members of an object are evaluated side by side: when one fails, the others go on, though only in microtasks. They come to their end
    // before this call is answered, or the next one would be to blame for the memory and the time that they take.
    await turn();
    return { ok: false, message: (error as Error).message.slice(0, MESSAGE_MAX), ms: performance.now() - start };
  }
}

function send(answers: Answer[]): void {
  const { user, system } = process.cpuUsage();
  process.send?.({ answers, cpuMs: (user + system) / 1000 } satisfies Answers);
}

async function work({ works, calls }: Batch): Promise<void> {
  let answers: Answer[] = [];
  let flushedAt = performance.now();
  for (const { work, input } of calls) {
    answers.push(await answerOf(works[work] as Work, input));
    if (performance.now() - flushedAt < FLUSH_MS) continue;
    send(answers);
    answers = [];
    flushedAt = performance.now();
  }
  if (answers.length > 0) send(answers);
}

process.on('message', (batch) => void work(batch as Batch));
process.once('disconnect', () => process.exit());

// A service that was killed tells nobody, and a process inside a native function would not hear it: a thread looks after both.
const parent = process.ppid;
const watch = `setInterval(() => { if (process.ppid !== ${parent}) process.kill(process.pid, 'SIGKILL'); }, ${PARENT_LOOK_MS})`;
new Worker(watch, { eval: true, resourceLimits: { maxOldGenerationSizeMb: 4, maxYoungGenerationSizeMb: 1 } }).unref();

send([]);
