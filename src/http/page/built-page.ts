/*
 * Room `page`: what a person gets at `/`: the page for a browser, as `npm run build` made it, and a short text for everything else.
 *
 * Holds: The page is files of this service and asks no other host; its policy lets no script in but its own, and no text become one.
 * Refuses: to know what the page shows. It is a client of the API, as any other.
 */

import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One file, with the codings that the build made of it. */
export interface PageFile {
  type: string;
  etag: string;
  identity: Buffer;
  br?: Buffer;
  gzip?: Buffer;
}

/** The page as it was built: its document, and the files that this refers to, by name. */
export interface BuiltPage {
  document: PageFile;
  assets: ReadonlyMap<string, PageFile>;
}

/** A script comes from a file of the page and from nowhere else: text that becomes one (`innerHTML`, `eval`) is refused by the browser. */
export const PAGE_CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

/** By the ends of the names that the build gives out. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** The folder that the build puts it into: `dist/dashboard`, seen from the sources or from what was compiled. */
export const PAGE_FOLDER = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../../dist/dashboard/' : '../../../dashboard/', import.meta.url),
);

/** Reads the page into memory: about 300 kB with all codings. Null if there is none, as in a checkout that was never built. */
export async function readBuiltPage(folder: string): Promise<BuiltPage | null> {
  let names: string[];
  try {
    names = await readdir(`${folder}/assets`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const served = names.filter((name) => extname(name) in TYPES);
  const [document, ...assets] = await Promise.all(
    ['index.html', ...served.map((name) => `assets/${name}`)].map((path) => read(folder, path)),
  );
  return { document: document as PageFile, assets: new Map(served.map((name, i) => [name, assets[i] as PageFile])) };
}

async function read(folder: string, path: string): Promise<PageFile> {
  const [identity, br, gzip] = await Promise.all([
    readFile(`${folder}/${path}`),
    readIfThere(`${folder}/${path}.br`),
    readIfThere(`${folder}/${path}.gz`),
  ]);
  const etag = `"${createHash('sha256').update(identity).digest('base64url').slice(0, 22)}"`;
  return { type: TYPES[extname(path)] as string, etag, identity, ...(br && { br }), ...(gzip && { gzip }) };
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
