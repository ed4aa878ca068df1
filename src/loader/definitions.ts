import { isUtf8 } from 'node:buffer';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { ConfigError } from '../config.ts';
import { type PipelineDefinition, pipelineDefinitionSchema } from '../schemas/definition.ts';
import { faultsOf, jsonPointer } from '../schemas/faults.ts';
import { type LimiterSettings, limiterSettingsSchema } from '../schemas/limiter.ts';
import { nameSchema } from '../schemas/names.ts';
import { readYamlDocuments, stepsOf, type TextPlace, type YamlDocument } from '../yaml/documents.ts';

/** A definition and where it stands, for what is found wrong with it later, such as a task that doesn't exist. */
export interface LoadedDefinition {
  definition: PipelineDefinition;
  /** The file and the line where it begins: `pipelines/orders.yaml:3`. */
  source: string;
  /** The file and the line of what a JSON Pointer into the definition names. */
  place: (pointer: string) => string;
  /** The same with the column. */
  placeAt: (pointer: string) => FilePlace;
}

/** A place in a file; without a line, the whole of it. */
export interface FilePlace extends Partial<TextPlace> {
  file: string;
}

export interface PlacedFault extends FilePlace {
  message: string;
}

/** A limiter of `limits`, in a section of its own or with a pipeline. */
export interface LoadedLimiter {
  name: string;
  settings: LimiterSettings;
  source: string;
  at: FilePlace;
}

export interface Loaded {
  definitions: LoadedDefinition[];
  limiters: LoadedLimiter[];
}

/** Definitions as they were read, with all faults found in reading them. */
export interface Looked {
  loaded: Loaded;
  faults: PlacedFault[];
  /** The definitions whose shape is wrong: they may have other faults, too. */
  refused: { input: unknown; path: readonly (string | number)[]; placeAt: LoadedDefinition['placeAt'] }[];
}

export interface DefinitionsOptions {
  /** Nothing at this path is no fault; true for the default folder, which nobody asked for. */
  mayBeMissing?: boolean;
}

const EXTENSIONS = new Set(['.yaml', '.yml', '.json']);
/** Tests of definitions, which stand beside them: see src/trial. */
export const FIXTURE_NAME = /\.test\.(?:yaml|yml|json)$/;

/**
 * Reads pipeline definitions from a file or from the files of a folder, in the order of their names. A file holds one definition, a
 * list of them, `{ pipelines: […], limits: { … } }`, or several YAML documents of these; `limits` may also stand in a definition. Subfolders and other files are left alone, and so
 * are tests (`orders.test.yaml`).
 *
 * Throws {@link ConfigError} with every fault of every file, each with its file, its line and a JSON pointer.
 */
export async function readDefinitions(path: string, options: DefinitionsOptions = {}): Promise<Loaded> {
  const { loaded, faults } = await lookAtDefinitions(path, options);
  if (faults.length === 0) return loaded;
  throw new ConfigError(
    'The pipeline definitions cannot be used',
    faults.map((fault) => `${sourceOf(fault)}: ${fault.message}`),
  );
}

/** The same for whoever tells the faults in another way. Throws {@link ConfigError} when there is nothing to read. */
export async function lookAtDefinitions(
  paths: string | readonly string[],
  { mayBeMissing = false }: DefinitionsOptions = {},
): Promise<Looked> {
  const looked: Looked = { loaded: { definitions: [], limiters: [] }, faults: [], refused: [] };
  const { loaded, faults } = looked;
  const files = await Promise.all([paths].flat().map((path) => listFiles(path, mayBeMissing)));
  for (const file of files.flat()) {
    const bytes = await readFile(file).catch((error: Error) => void faults.push({ file, message: error.message }));
    if (bytes === undefined) continue;
    if (isUtf8(bytes)) readText(file, bytes.toString('utf8'), looked);
    else faults.push({ file, message: 'is not in UTF-8' });
  }
  faults.push(
    ...twice(
      'id',
      loaded.definitions.map(({ definition, placeAt }) => ({ name: definition.id, at: placeAt('') })),
    ),
    ...twice('limiter', loaded.limiters),
  );
  return looked;
}

async function listFiles(path: string, mayBeMissing: boolean): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const names = await readdir(path);
    return names
      .filter((name) => EXTENSIONS.has(extname(name)) && !name.startsWith('.') && !FIXTURE_NAME.test(name))
      .sort()
      .map((name) => join(path, name));
  } catch (error) {
    if (mayBeMissing && (error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new ConfigError('PIPELINES cannot be read', [(error as Error).message]);
  }
}

/** JSON is read as the YAML that it is: so its duplicate keys are found too, and faults have lines. */
function readText(file: string, text: string, looked: Looked): void {
  if (extname(file) === '.json') {
    try {
      JSON.parse(text.replace(/^\uFEFF/, ''));
    } catch (error) {
      looked.faults.push({ file, message: (error as Error).message });
      return;
    }
  }
  for (const document of readYamlDocuments(text)) readDocument({ file, document, faults: looked.faults }, looked);
}

interface Source {
  file: string;
  document: YamlDocument;
  faults: PlacedFault[];
}

function readDocument(source: Source, { loaded, refused }: Looked): void {
  const { file, document, faults } = source;
  if (document.faults.length > 0) {
    faults.push(...document.faults.map((fault) => ({ file, ...fault })));
    return;
  }
  const content = toData(source);
  if (content === undefined || content === null) return;
  for (const [path, input] of definitionsIn(source, content)) {
    const parsed = pipelineDefinitionSchema.safeParse(input, { reportInput: true });
    const placeAt = (pointer: string): FilePlace => placeOf(source, [...path, ...stepsOf(pointer)]);
    if (parsed.success) {
      const place = (pointer: string): string => sourceOf(placeAt(pointer));
      // Whatever limits a file has are the file's: its other pipelines may name them before this one is made.
      const { limits = {}, ...definition } = parsed.data;
      loaded.definitions.push({ definition, source: place(''), place, placeAt });
      for (const [name, settings] of Object.entries(limits))
        addLimiter(loaded, { name, settings, at: placeAt(jsonPointer(['limits', name])) });
    } else {
      faults.push(...faultsOf(parsed.error, path).map((fault) => located(source, fault.path, fault.message)));
      refused.push({ input, path, placeAt });
    }
  }
  if (typeof content === 'object' && isSectioned(content)) readLimits(source, content.limits, loaded);
}

const limitsSchema = z.record(nameSchema, limiterSettingsSchema).default({});

function readLimits(source: Source, input: unknown, loaded: Loaded): void {
  const parsed = limitsSchema.safeParse(input, { reportInput: true });
  if (parsed.success) {
    for (const [name, settings] of Object.entries(parsed.data)) {
      addLimiter(loaded, { name, settings, at: placeOf(source, ['limits', name]) });
    }
  } else source.faults.push(...faultsOf(parsed.error, ['limits']).map((fault) => located(source, fault.path, fault.message)));
}

/** One that stands in several places alike is one limiter. */
function addLimiter({ limiters }: Loaded, limiter: Omit<LoadedLimiter, 'source'>): void {
  const isKnown = limiters.some(({ name, settings }) => name === limiter.name && isDeepStrictEqual(settings, limiter.settings));
  if (!isKnown) limiters.push({ ...limiter, source: sourceOf(limiter.at) });
}

/** Whether a document holds sections, and is not itself a definition. */
function isSectioned(content: object): content is { pipelines?: unknown; limits?: unknown } {
  return !Array.isArray(content) && ('pipelines' in content || ('limits' in content && !('stages' in content)));
}

function toData({ file, document, faults }: Source): unknown {
  try {
    return document.content();
  } catch (error) {
    faults.push({ file, message: (error as Error).message });
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

/** `/stages/0/workers must be …`, and where. */
function located(source: Source, pointer: string, message: string): PlacedFault {
  return { ...placeOf(source, stepsOf(pointer)), message: `${pointer === '' ? 'the definition' : pointer} ${message}` };
}

/** The place of a node. One that doesn't exist, such as a missing field, has the place of what should hold it. */
function placeOf({ file, document }: Source, path: readonly (string | number)[]): FilePlace {
  return { file, ...document.placeOf(path) };
}

/** `orders.yaml:12` */
function sourceOf({ file, line }: FilePlace): string {
  return line === undefined ? file : `${file}:${line}`;
}

function twice(what: string, named: readonly { name: string; at: FilePlace }[]): PlacedFault[] {
  const first = new Map<string, FilePlace>();
  return named.flatMap(({ name, at }) => {
    const other = first.get(name);
    first.set(name, other ?? at);
    return other === undefined ? [] : [{ ...at, message: `the ${what} "${name}" is taken by ${sourceOf(other)}` }];
  });
}
