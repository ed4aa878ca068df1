import { readFile } from 'node:fs/promises';
import { SluiceError } from '../engine/index.ts';
import { type FilePlace, type Looked, lookAtDefinitions, type PlacedFault } from '../loader/definitions.ts';
import { jsonPointer } from '../schemas/faults.ts';
import { hostOf, type Workshop } from './workshop.ts';

export interface LintOptions {
  /** Every secret that a file names counts as set. */
  assumeSecrets?: boolean;
}

/**
 * Every fault of the definitions in these files and folders, as a service finds them that starts with all of them together: in the order of files and lines. Throws
 * a `ConfigError` for a path at which there is nothing.
 */
export async function lintFiles(
  paths: readonly string[],
  workshop: Workshop,
  { assumeSecrets = false }: LintOptions = {},
): Promise<PlacedFault[]> {
  const looked = await lookAtDefinitions(paths);
  const assumed = assumeSecrets ? await secretsNamed(filesOf(looked)) : {};
  return lintLooked(looked, workshop, { ...assumed, ...workshop.config.secrets });
}

/** The same of what was read before, with these secrets. */
export async function lintLooked(looked: Looked, workshop: Workshop, secrets: Readonly<Record<string, string>>): Promise<PlacedFault[]> {
  const { definitions, limiters } = looked.loaded;
  const host = hostOf(workshop, { secrets });
  const found = [...looked.faults];
  try {
    for (const { name, settings, at } of limiters)
      collect(
        found,
        () => host.limiters.define(name, settings),
        () => at,
      );
    for (const { definition, placeAt } of definitions) collect(found, () => host.check(definition), placeAt);
    for (const { input, path, placeAt } of looked.refused) collect(found, () => host.check(input), placeAt, path);
  } finally {
    await host.shutdown('force', 0);
  }
  return inOrder(distinct(found));
}

function filesOf({ loaded, refused }: Looked): Set<string> {
  return new Set([...loaded.definitions, ...refused].map(({ placeAt }) => placeAt('').file));
}

/** Adds what an attempt throws for the definition; all else is thrown. `path`: where in its document it stands, for faults that were found there already. */
function collect(
  found: PlacedFault[],
  attempt: () => unknown,
  placeAt: (pointer: string) => FilePlace,
  path: readonly (string | number)[] = [],
): void {
  try {
    attempt();
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    const before = path.length === 0 ? '' : jsonPointer(path);
    const { errors = [{ path: '', message: error.message }] } = error;
    found.push(
      ...errors.map(({ path: at, message }) => ({ ...placeAt(at), message: `${`${before}${at}` || 'the definition'} ${message}` })),
    );
  }
}

/** Names as in `{{ secrets.NAME }}`, each with a text that nobody takes for one. */
async function secretsNamed(files: Iterable<string>): Promise<Record<string, string>> {
  const texts = await Promise.all([...files].map((file) => readFile(file, 'utf8')));
  const names = texts.flatMap((text) => [...text.matchAll(/\bsecrets\s*\.\s*`?([A-Za-z_]\w*)/g)].map(([, name]) => name as string));
  return Object.fromEntries(names.map((name) => [name, `assumed-secret-${name}`]));
}

function distinct(faults: readonly PlacedFault[]): PlacedFault[] {
  return [...new Map(faults.map((fault) => [JSON.stringify([fault.file, fault.line, fault.column, fault.message]), fault])).values()];
}

function inOrder(faults: readonly PlacedFault[]): PlacedFault[] {
  return faults.toSorted(
    (a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}
