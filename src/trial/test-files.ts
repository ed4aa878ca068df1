import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { ConfigError } from '../config.ts';
import {
  FIXTURE_NAME,
  type FilePlace,
  type LoadedDefinition,
  type Looked,
  lookAtDefinitions,
  type PlacedFault,
} from '../loader/definitions.ts';
import { faultsOf } from '../schemas/faults.ts';
import { readYamlDocuments, stepsOf, type YamlDocument } from '../yaml/documents.ts';
import { type DefinitionTest, type Fixture, fixtureSchema } from './fixture.ts';

/** A file of tests that can be run, and the definitions that it is about. */
export interface TestFile {
  file: string;
  fixture: Fixture;
  looked: Looked;
  /** Where something stands in the file, by a JSON Pointer. */
  placeAt: (pointer: string) => FilePlace;
}

/**
 * The files of tests that a path means: a file of tests, the one beside a definitions file, or those of a folder. Throws a `ConfigError` where there is none.
 */
export async function findTestFiles(path: string): Promise<string[]> {
  try {
    if ((await stat(path)).isDirectory()) {
      const names = (await readdir(path)).filter((name) => FIXTURE_NAME.test(name)).sort();
      if (names.length === 0) throw new Error('has no tests, files such as orders.test.yaml');
      return names.map((name) => join(path, name));
    }
    if (FIXTURE_NAME.test(path)) return [path];
    const wanted = ['yaml', 'yml', 'json'].map((extension) => path.replace(/\.[^.]+$/, `.test.${extension}`));
    for (const file of wanted) if (await isThere(file)) return [file];
    throw new Error(`has no tests beside it, such as ${wanted[0]}`);
  } catch (error) {
    throw new ConfigError('There are no tests', [`${path}: ${(error as Error).message}`]);
  }
}

async function isThere(file: string): Promise<boolean> {
  return stat(file).then(
    (found) => found.isFile(),
    () => false,
  );
}

/** Reads a file of tests and the definitions that it is about; the faults are those of the tests alone. */
export async function readTestFile(file: string): Promise<{ read: TestFile | null; faults: PlacedFault[] }> {
  const documents = readYamlDocuments(await readFile(file, 'utf8'));
  const [document] = documents;
  const faulty = documents.flatMap(({ faults }) => faults);
  if (faulty.length > 0) return { read: null, faults: faulty.map((fault) => ({ file, ...fault })) };
  if (documents.length !== 1) return { read: null, faults: [{ file, message: 'must hold one document' }] };
  const placeAt = (pointer: string): FilePlace => ({ file, ...(document as YamlDocument).placeOf(stepsOf(pointer)) });
  const parsed = fixtureSchema.safeParse((document as YamlDocument).content(), { reportInput: true });
  if (!parsed.success) {
    return {
      read: null,
      faults: faultsOf(parsed.error).map(({ path, message }) => ({ ...placeAt(path), message: `${path || 'the file'} ${message}` })),
    };
  }
  const fixture = parsed.data;
  const about = relative('', resolve(dirname(file), fixture.definitions ?? (await besides(file)))) || '.';
  return { read: { file, fixture, looked: await lookAtDefinitions(about), placeAt }, faults: [] };
}

/** `orders.yaml` for `orders.test.yaml`, in whatever format. */
async function besides(file: string): Promise<string> {
  const base = resolve(file.replace(FIXTURE_NAME, ''));
  for (const extension of ['yaml', 'yml', 'json']) if (await isThere(`${base}.${extension}`)) return `${base}.${extension}`;
  throw new ConfigError('There is nothing to test', [`${file}: there is no ${base}.yaml, and no "definitions" names another file`]);
}

/** The definition that a test is about, or what is wrong with its choice. */
export function definitionOf({ pipeline }: DefinitionTest, { looked: { loaded } }: TestFile): LoadedDefinition['definition'] | string {
  const { definitions } = loaded;
  const names = definitions.map(({ definition }) => definition.id);
  if (pipeline === undefined && definitions.length !== 1) return `needs a "pipeline", one of ${names.join(', ')}`;
  const found = definitions.find(({ definition }) => pipeline === undefined || definition.id === pipeline);
  return found?.definition ?? `names the pipeline "${pipeline}", but there is ${names.join(', ') || 'none'}`;
}
