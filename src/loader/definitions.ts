import { isUtf8 } from 'node:buffer';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { ConfigError } from '../config.ts';
import { type PipelineDefinition, pipelineDefinitionSchema } from '../schemas/definition.ts';
import { faultsOf, jsonPointer } from '../schemas/faults.ts';
import { type LimiterSettings, limiterSettingsSchema } from '../schemas/limiter.ts';
import { nameSchema } from '../schemas/names.ts';
import { yamlFaults } from './yaml-faults.ts';

/** A definition and where it stands, for what is found wrong with it later, such as a task that doesn't exist. */
export interface LoadedDefinition {
  definition: PipelineDefinition;
  /** The file and the line where it begins: `pipelines/orders.yaml:3`. */
  source: string;
  /** The file and the line of what a JSON Pointer into the definition names. */
  place: (pointer: string) => string;
}

/** A limiter of `limits`, in a section of its own or with a pipeline. */
export interface LoadedLimiter {
  name: string;
  settings: LimiterSettings;
  source: string;
}

export interface Loaded {
  definitions: LoadedDefinition[];
  limiters: LoadedLimiter[];
}

export interface DefinitionsOptions {
  /** Nothing at this path is no fault; true for the default folder, which nobody asked for. */
  mayBeMissing?: boolean;
}

const EXTENSIONS = new Set(['.yaml', '.yml', '.json']);

/**
 * Reads pipeline definitions from a file or from the files of a folder, in the order of their names. A file holds one definition, a
 * list of them, `{ pipelines: […], limits: { … } }`, or several YAML documents of these; `limits` may also stand in a definition. Subfolders and other files are left alone.
 *
 * Throws {@link ConfigError} with every fault of every file, each with its file, its line and a JSON pointer.
 */
export async function readDefinitions(path: string, { mayBeMissing = false }: DefinitionsOptions = {}): Promise<Loaded> {
  const faults: string[] = [];
  const loaded: Loaded = { definitions: [], limiters: [] };
  for (const file of await listFiles(path, mayBeMissing)) {
    const bytes = await readFile(file).catch((error: Error) => void faults.push(`${file}: ${error.message}`));
    if (bytes === undefined) continue;
    if (isUtf8(bytes)) readText(file, bytes.toString('utf8'), faults, loaded);
    else faults.push(`${file}: is not in UTF-8`);
  }
  faults.push(
    ...twice(
      'id',
      loaded.definitions.map(({ definition, source }) => ({ name: definition.id, source })),
    ),
    ...twice('limiter', loaded.limiters),
  );
  if (faults.length > 0) throw new ConfigError('The pipeline definitions cannot be used', faults);
  return loaded;
}

async function listFiles(path: string, mayBeMissing: boolean): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path);
    return names
      .filter((name) => EXTENSIONS.has(extname(name)) && !name.startsWith('.'))
      .sort()
      .map((name) => join(path, name));
  } catch (error) {
    if (mayBeMissing && (error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new ConfigError('PIPELINES cannot be read', [(error as Error).message]);
  }
}

/** JSON is read as the YAML that it is: so its duplicate keys are found too, and faults have lines. */
function readText(file: string, text: string, faults: string[], loaded: Loaded): void {
  if (extname(file) === '.json') {
    try {
      JSON.parse(text.replace(/^\uFEFF/, ''));
    } catch (error) {
      faults.push(`${file}: ${(error as Error).message}`);
      return;
    }
  }
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, stringKeys: true, version: '1.2', merge: true });
  if (!Array.isArray(documents)) return;
  for (const document of documents) readDocument({ file, text, document, lines, faults }, loaded);
}

interface Source {
  file: string;
  text: string;
  document: Document.Parsed;
  lines: LineCounter;
  faults: string[];
}

function readDocument(source: Source, loaded: Loaded): void {
  const { file, text, document, lines, faults } = source;
  const problems = yamlFaults(document, text);
  if (problems.length > 0) {
    faults.push(...problems.map(({ message, offset }) => `${file}:${lines.linePos(offset).line}: ${message}`));
    return;
  }
  const content = toData(source);
  if (content === undefined || content === null) return;
  for (const [path, input] of definitionsIn(source, content)) {
    const parsed = pipelineDefinitionSchema.safeParse(input, { reportInput: true });
    if (parsed.success) {
      const place = (pointer: string): string => placeOf(source, [...path, ...stepsOf(pointer)]);
      // Whatever limits a file has are the file's: its other pipelines may name them before this one is made.
      const { limits = {}, ...definition } = parsed.data;
      loaded.definitions.push({ definition, source: placeOf(source, path), place });
      for (const [name, settings] of Object.entries(limits))
        addLimiter(loaded, { name, settings, source: place(jsonPointer(['limits', name])) });
    } else faults.push(...faultsOf(parsed.error, path).map((fault) => located(source, fault.path, fault.message)));
  }
  if (typeof content === 'object' && isSectioned(content)) readLimits(source, content.limits, loaded);
}

const limitsSchema = z.record(nameSchema, limiterSettingsSchema).default({});

function readLimits(source: Source, input: unknown, loaded: Loaded): void {
  const parsed = limitsSchema.safeParse(input, { reportInput: true });
  if (parsed.success) {
    for (const [name, settings] of Object.entries(parsed.data)) {
      addLimiter(loaded, { name, settings, source: placeOf(source, ['limits', name]) });
    }
  } else source.faults.push(...faultsOf(parsed.error, ['limits']).map((fault) => located(source, fault.path, fault.message)));
}

/** One that stands in several places alike is one limiter. */
function addLimiter({ limiters }: Loaded, limiter: LoadedLimiter): void {
  const isKnown = limiters.some(({ name, settings }) => name === limiter.name && isDeepStrictEqual(settings, limiter.settings));
  if (!isKnown) limiters.push(limiter);
}

/** Whether a document holds sections, and is not itself a definition. */
function isSectioned(content: object): content is { pipelines?: unknown; limits?: unknown } {
  return !Array.isArray(content) && ('pipelines' in content || ('limits' in content && !('stages' in content)));
}

/** Anchors may be used, up to a bound: ten lines of them can stand for billions of values. */
function toData({ file, document, faults }: Source): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    faults.push(`${file}: ${(error as Error).message}`);
    return undefined;
  }
}

/** Each definition of a document with the path to it. */
function definitionsIn(source: Source, content: unknown): [path: (string | number)[], input: unknown][] {
  if (Array.isArray(content)) return content.map((input, index) => [[index], input]);
  if (typeof content !== 'object' || content === null || !isSectioned(content)) return [[[], content]];
  const { pipelines = [], limits: _limits, ...others } = content;
  for (const name of Object.keys(others)) source.faults.push(located(source, jsonPointer([name]), 'is an unknown field'));
  if (Array.isArray(pipelines)) return pipelines.map((input, index) => [['pipelines', index], input]);
  source.faults.push(located(source, '/pipelines', 'must be a list'));
  return [];
}

/** `orders.yaml:12: /stages/0/workers must be …` */
function located(source: Source, pointer: string, message: string): string {
  return `${placeOf(source, stepsOf(pointer))}: ${pointer === '' ? 'the definition' : pointer} ${message}`;
}

/** The keys and indexes that a JSON Pointer goes through. */
function stepsOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The file and line of a node. One that doesn't exist, such as a missing field, has the line of what should hold it. */
function placeOf({ file, document, lines }: Source, path: readonly (string | number)[]): string {
  let offset: number | undefined;
  for (let length = path.length; length >= 0 && offset === undefined; length--) {
    const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] | null } | undefined;
    offset = node?.range?.[0];
  }
  return `${file}:${lines.linePos(offset ?? 0).line}`;
}

function twice(what: string, named: readonly { name: string; source: string }[]): string[] {
  const first = new Map<string, string>();
  return named.flatMap(({ name, source }) => {
    const other = first.get(name);
    first.set(name, other ?? source);
    return other === undefined ? [] : [`${source}: the ${what} "${name}" is taken by ${other}`];
  });
}
