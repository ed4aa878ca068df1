import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'vite';

/** The most that the page may weigh in all, gzipped: who opens it over a bad line waits for each byte. */
export const PAGE_BYTES_MAX = 80_000;

/** Bundles the page into a folder, with a compressed copy beside each file. Throws when it weighs more than {@link PAGE_BYTES_MAX}. */
export async function buildPage(folder: string): Promise<void> {
  const root = fileURLToPath(new URL('../dashboard', import.meta.url));
  await build({ root, configFile: join(root, 'vite.config.ts'), logLevel: 'warn', build: { outDir: resolve(folder) } });
  let total = 0;
  for (const path of readdirSync(folder, { recursive: true }) as string[]) {
    const file = join(folder, path);
    if (!statSync(file).isFile()) continue;
    const content = readFileSync(file);
    const gzipped = gzipSync(content, { level: 9 });
    total += gzipped.length;
    writeFileSync(`${file}.gz`, gzipped);
    writeFileSync(`${file}.br`, brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }));
  }
  if (total > PAGE_BYTES_MAX) throw new Error(`the page weighs ${total} bytes gzipped, more than ${PAGE_BYTES_MAX}`);
}
