import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { ConfigError } from '../config.ts';
import type { TaskDeclaration, TaskHandler } from '../engine/index.ts';
import { rateLimitSchema } from '../schemas/definition.ts';
import { faultsOf } from '../schemas/faults.ts';
import { nameSchema } from '../schemas/names.ts';
import { taskKindSchema } from '../schemas/task.ts';
import { offerTaskEntry } from './task-entry.ts';
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

type Within = (call: () => unknown) => unknown;

const EXTENSIONS = new Set(['.js', '.mjs', '.ts']);

/**
 * Reads the tasks, predicates and hooks of a folder, one a file, in the order of the file names. Subfolders and other files are
 * left alone, so that tasks can share code and have a package.json.
 *
 * `taken` are the names that exist already; `within` is what each call of theirs in the event loop runs in. Throws {@link ConfigError} with every bad file and what is wrong with it.
 */
export async function loadUserTasks(
  folder: string,
  taken: Iterable<string>,
  within: Within = (call) => call(),
): Promise<TaskDeclaration[]> {
  const owners = new Map<string, string>([...taken].map((name) => [name, 'a built-in task']));
  const declarations: TaskDeclaration[] = [];
  const faults: string[] = [];
  offerTaskEntry();
  for (const file of await listModules(folder)) {
    const path = join(folder, file);
    try {
      const declaration = await loadModule(path, within);
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

async function listModules(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.') && !entry.name.endsWith('.d.ts'))
      .map((entry) => entry.name)
      .filter((name) => EXTENSIONS.has(extname(name)))
      .sort();
  } catch (error) {
    throw new ConfigError('TASKS_DIR cannot be read', [(error as Error).message]);
  }
}

async function loadModule(path: string, within: Within): Promise<TaskDeclaration> {
  const url = pathToFileURL(resolve(path)).href;
  const exported = await importDefault(path, url);
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
    ...(thread && { thread, module: url }),
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
  const exported = namespace.default;
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
  const name = path.slice(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1).replace(/[.](js|mjs|ts)$/, '');
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
