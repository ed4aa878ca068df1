/**
 * The service in few files, for the many processes that the tests start: most of what a short one costs is to find, read and link a thousand modules. Its code is that of src,
 * routes and tasks, each module of which still believes that it stands there, so hands, threads of tasks and the page are found as ever; the threads that each service has are bundled.
 *
 * Files of tests that measure coverage, and those that look at the command itself, start src/server.ts.
 */
import { globSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type Plugin } from 'vite';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FOLDER = `${ROOT}node_modules/.cache/service`;
const STAMP = 'built';
const SOURCES = ['{src,routes,tasks}{,/**}', 'package-lock.json', 'node_modules/.package-lock.json', 'test/setup/service-bundle.ts'];
/** Native code, and packages that look for files beside themselves. */
const LEFT_OUT = ['better-sqlite3', 'piscina', '@fastify/swagger', '@fastify/swagger-ui', 'pg-native'];

/** What is started. */
export const BUNDLED_SERVICE = `${FOLDER}/server.js`;

/** By name, in the one form in which they are started. */
const THREADS = globSync('src/**/*-thread.ts', { cwd: ROOT });
const THREAD_URL = /new URL\(`\.\/([a-z]+-thread)\$\{extname\(import\.meta\.url\)\}`, import\.meta\.url\)/g;

const ownPlace: Plugin = {
  name: 'own-place',
  transform(code, id) {
    if (!/^(src|routes|tasks)\//.test(relative(ROOT, id)) || !code.includes('import.meta.url')) return undefined;
    return code
      .replaceAll(THREAD_URL, (_, name) => `new URL(${JSON.stringify(pathToFileURL(`${FOLDER}/${name}.js`).href)})`)
      .replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href));
  },
};

function isCurrent(): boolean {
  const builtAt = statSync(`${FOLDER}/${STAMP}`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return globSync(SOURCES, { cwd: ROOT }).every((path) => statSync(ROOT + path).mtimeMs <= builtAt);
}

/** Once for all projects of a run. */
export async function setup(): Promise<void> {
  if (isCurrent()) return;
  // Whole from the moment it is there, whoever else builds it.
  const made = `${FOLDER}-${process.pid}`;
  await build({
    root: ROOT,
    configFile: false,
    logLevel: 'error',
    plugins: [ownPlace],
    ssr: { noExternal: true, external: LEFT_OUT },
    build: {
      ssr: true,
      outDir: made,
      minify: false,
      target: 'node22',
      rolldownOptions: {
        input: Object.fromEntries(['src/server.ts', ...THREADS].map((path) => [basename(path, '.ts'), ROOT + path])),
        output: { entryFileNames: '[name].js', banner: 'const __filename = import.meta.filename; const __dirname = import.meta.dirname;' },
      },
    },
  });
  writeFileSync(`${made}/${STAMP}`, '');
  rmSync(FOLDER, { recursive: true, force: true });
  renameSync(made, FOLDER);
}
