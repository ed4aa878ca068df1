import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { ConfigError } from '../config.ts';
import type { TaskDeclaration, TaskHandler } from '../engine/index.ts';
import { type Clock, type Logger, silentLogger, systemClock } from '../engine/ports.ts';
import { rateLimitSchema } from '../schemas/definition.ts';
import { faultsOf } from '../schemas/faults.ts';
import { nameSchema } from '../schemas/names.ts';
import { taskKindSchema } from '../schemas/task.ts';
import { defaultOf, offerTaskEntry, readModulesOf } from './task-entry.ts';
import { readUserParams, type UserParams } from './user-params.ts';

/**
 * The default export of a file in TASKS_DIR: a plain object, so that the file does not need to import Sluice.
 * Fields that only tasks have (limits, thread) are refused on predicates and hooks, where nothing would read them.
 */
const moduleSchema = z
  .strictObject({
    name: nameSchema.optional(),
    kind: taskKindSchema.default('task'),
    description: z.string().default(''),
    params: z.unknown().optional(),
    concurrency: z.int().min(1).optional(),
    rateLimit: rateLimitSchema.optional(),
    timeoutSeconds: z.number().gt(0).max(31_536_000).optional(),
    thread: z.boolean().default(false),
    run: z.custom<TaskHandler>((run) => typeof run === 'function', 'must be a function'),
  })
  .superRefine((module, issues) => {
    if (module.kind === 'task') return;
    for (const field of ['concurrency', 'rateLimit', 'timeoutSeconds'] as const) {
      if (module[field] !== undefined) issues.addIssue({ code: 'custom', path: [field], message: `is not allowed for a ${module.kind}` });
    }
    if (module.thread) issues.addIssue({ code: 'custom', path: ['thread'], message: `is not allowed for a ${module.kind}` });
  });

export interface LoadOptions {
  /** Each call of a task in the event loop runs in it. */
  within?: (call: () => unknown) => unknown;
  logger?: Logger;
  clock?: Clock;
}

const EXTENSIONS = new Set(['.js', '.mjs', '.cjs', '.ts']);
/** Files that nobody takes for tasks. */
const OTHERS = /^(?:[.].*|.*[.]d[.][cm]?ts|package(?:-lock)?[.]json|tsconfig.*[.]json|(?:README|LICENSE)(?:[.].*)?|.*[.](?:md|lock|map))$/i;
/** A file that takes longer to load is named, again and again, and given up in the end. */
const LOADING_TOLD_MS = 10_000;
const LOADING_TOLD_TIMES = 6;

/**
 * Reads the tasks, predicates and hooks of a folder, one a file, in the order of the file names. Subfolders and other files are
 * left alone, so that tasks can share code and have a package.json; the log names files that may have been meant as tasks.
 *
 * `taken` are the names that exist already. Throws {@link ConfigError} with every bad file and what is wrong with it.
 */
export async function loadUserTasks(
  folder: string,
  taken: Iterable<string>,
  { within = (call) => call(), logger = silentLogger, clock = systemClock }: LoadOptions = {},
): Promise<TaskDeclaration[]> {
  const owners = new Map<string, string>([...taken].map((name) => [name, 'a built-in task']));
  const declarations: TaskDeclaration[] = [];
  const faults: string[] = [];
  offerTaskEntry();
  readModulesOf(pathToFileURL(resolve(folder)).href);
  const { modules, leftOut } = await listFiles(folder);
  if (leftOut.length > 0) {
    const text = `files of TASKS_DIR are left out: tasks are ${[...EXTENSIONS].join(', ')}`;
    logger.warn({ folder, files: leftOut }, text);
  }
  for (const file of modules) {
    const path = join(folder, file);
    try {
      const declaration = await loadModule(path, within, () => untilLoaded(path, logger, clock));
      const owner = owners.get(declaration.name);
      if (owner !== undefined) throw new BadFile([`the name "${declaration.name}" is taken by ${owner}`]);
      owners.set(declaration.name, path);
      declarations.push(declaration);
    } catch (error) {
      if (!(error instanceof BadFile)) throw error;
      faults.push(...error.faults.map((fault) => `${path}: ${fault}`));
    }
  }
  if (faults.length > 0) throw new ConfigError(`The tasks of ${folder} cannot be used`, faults);
  return declarations;
}

class BadFile extends Error {
  readonly faults: readonly string[];
  constructor(faults: readonly string[]) {
    super(faults.join('; '));
    this.faults = faults;
  }
}

async function listFiles(folder: string): Promise<{ modules: string[]; leftOut: string[] }> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const names = entries
      .filter((entry) => !entry.isDirectory() && !OTHERS.test(entry.name))
      .map((entry) => entry.name)
      .sort();
    const isModule = (name: string): boolean => EXTENSIONS.has(extname(name));
    return { modules: names.filter(isModule), leftOut: names.filter((name) => !isModule(name)) };
  } catch (error) {
    throw new ConfigError('TASKS_DIR cannot be read', [(error as Error).message]);
  }
}

/** Names a file that is being loaded for long, and rejects in the end. `stop` is to be called when it has been loaded. */
function untilLoaded(path: string, logger: Logger, clock: Clock): { givenUp: Promise<never>; stop: () => void } {
  let timer: unknown;
  const givenUp = new Promise<never>((_resolve, reject) => {
    const wait = (times: number): void => {
      timer = clock.setTimer(() => {
        const seconds = (times * LOADING_TOLD_MS) / 1000;
        if (times === LOADING_TOLD_TIMES) reject(new BadFile([`has not been loaded after ${seconds} s`]));
        else {
          logger.warn({ file: path, seconds }, 'the file of a task is still being loaded');
          wait(times + 1);
        }
      }, LOADING_TOLD_MS);
    };
    wait(1);
  });
  return { givenUp, stop: () => clock.clearTimer(timer) };
}

async function loadModule(
  path: string,
  within: NonNullable<LoadOptions['within']>,
  begin: () => ReturnType<typeof untilLoaded>,
): Promise<TaskDeclaration> {
  const url = pathToFileURL(resolve(path)).href;
  const { givenUp, stop } = begin();
  const exported = await Promise.race([importDefault(path, url), givenUp]).finally(stop);
  const parsed = moduleSchema.safeParse(exported, { reportInput: true });
  if (!parsed.success)
    throw new BadFile(faultsOf(parsed.error).map(({ path: place, message }) => `${place.slice(1) || 'its default export'} ${message}`));

  const { params, run: _run, thread, name = nameOfFile(path), concurrency, rateLimit, timeoutSeconds, ...rest } = parsed.data;
  // Called on the object that the file exports, which its author may refer to as `this`.
  const run: TaskHandler = (...args) => within(() => (exported as { run: TaskHandler }).run(...args));
  return {
    ...rest,
    ...paramsOf(name, params),
    name,
    ...(concurrency !== undefined && { concurrency }),
    ...(rateLimit !== undefined && { rateLimit }),
    ...(timeoutSeconds !== undefined && { timeoutSeconds }),
    ...(thread && { thread }),
    ...(parsed.data.kind === 'task' && { module: url }),
    prefersHands: true,
    run,
  };
}

async function importDefault(path: string, url: string): Promise<object> {
  let namespace: { default?: unknown };
  try {
    namespace = await import(url);
  } catch (error) {
    throw new BadFile([`cannot be loaded: ${await describeImportError(path, error)}`]);
  }
  const exported = defaultOf(namespace);
  if (exported === undefined) throw new BadFile(['has no default export']);
  if (typeof exported !== 'object' || exported === null || Array.isArray(exported)) {
    throw new BadFile(['its default export must be an object']);
  }
  return exported;
}

async function describeImportError(path: string, error: unknown): Promise<string> {
  if (!(error instanceof Error)) return `it throws ${String(error)}`;
  const line = error.name === 'SyntaxError' ? await syntaxErrorLine(path) : undefined;
  return `${error.name}: ${error.message}${line === undefined ? '' : ` (line ${line})`}`;
}

/** The error of an import doesn't say where in the file it is; what `node --check` prints begins with `<file>:<line>`. */
function syntaxErrorLine(path: string): Promise<string | undefined> {
  return new Promise((done) => {
    execFile(process.execPath, ['--check', path], { timeout: 10_000 }, (_error, _stdout, stderr) =>
      done(/^\S.*:(\d+)$/m.exec(stderr)?.[1]),
    );
  });
}

function nameOfFile(path: string): string {
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1).replace(/[.](js|mjs|cjs|ts)$/, '');
  const parsed = nameSchema.safeParse(name);
  if (!parsed.success)
    throw new BadFile([`its file name is not a valid task name: "${name}" ${parsed.error.issues[0]?.message}; give it a name`]);
  return name;
}

function paramsOf(task: string, params: unknown): UserParams {
  try {
    return readUserParams(task, params);
  } catch (error) {
    throw new BadFile([`params ${(error as Error).message}`]);
  }
}
