/**
 * Prints the manifests (package.json) of a folder of installed packages as NDJSON, one item a line, for the pipeline `license-audit`:
 *
 *     node examples/license-audit/manifests.ts [FOLDER]      by default node_modules of the working directory
 *
 * `{"id": "zod/package.json", "value": {…}}`, in the order of the paths, so that two runs over the same folder print the same.
 * One manifest is in memory at a time, and none is read before its reader has taken the ones before it.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

async function* manifestsBelow(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  // By code units: the order doesn't depend on the machine's language.
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    // A link isn't followed: it leads to a package that is found elsewhere, or in a circle.
    if (entry.isDirectory()) yield* manifestsBelow(path);
    else if (entry.isFile() && entry.name === 'package.json') yield path;
  }
}

async function* itemsOf(folder: string): AsyncGenerator<string> {
  for await (const path of manifestsBelow(folder)) {
    const id = relative(folder, path).split(sep).join('/');
    yield `${JSON.stringify({ id, value: parse(await readFile(path, 'utf8')) })}\n`;
  }
}

/** A manifest that is no JSON is fed as its text: the pipeline, not this script, says what is wrong with it. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const folder = resolve(process.argv[2] ?? 'node_modules');
try {
  await pipeline(Readable.from(itemsOf(folder)), process.stdout);
} catch (error) {
  // `… | head` has seen enough.
  if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
}
