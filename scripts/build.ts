/**
 * Compiles src, routes and tasks to dist/, copies the files beside them that aren't TypeScript, and bundles the page of dashboard/.
 *
 *   node scripts/build.ts               builds from nothing
 *   node scripts/build.ts --if-needed   builds only when a source is newer than the last build, as `npm start` does
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, globSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildPage } from './build-page.ts';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** Written last, so that a build which was cut short doesn't count as one. */
const stamp = 'dist/.built';
const sources = globSync('{src,routes,tasks}/**').filter((path) => statSync(path).isFile());
const settings = ['package.json', 'tsconfig.json', 'tsconfig.build.json'];

function isCurrent(): boolean {
  if (!existsSync(stamp)) return false;
  // Folders count too: their time changes when a file in them is removed.
  const inputs = [...globSync('{src,routes,tasks,dashboard}{,/**}'), ...settings];
  const builtAt = statSync(stamp).mtimeMs;
  return inputs.every((path) => statSync(path).mtimeMs <= builtAt);
}

async function build(): Promise<number> {
  rmSync('dist', { recursive: true, force: true });
  const compiler = fileURLToPath(import.meta.resolve('typescript/package.json'));
  const tsc = compiler.replace(/package[.]json$/, 'bin/tsc');
  // By default four checkers share the files, and each of them checks most of the types again: twice the work for a project of this size.
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--checkers', '1'], { stdio: 'inherit' });
  if (status !== 0) return status ?? 1;
  for (const path of sources) {
    if (!path.endsWith('.ts')) cpSync(path, `dist/${path}`);
  }
  await buildPage('dist/dashboard');
  writeFileSync(stamp, '');
  return 0;
}

if (!(process.argv.includes('--if-needed') && isCurrent())) process.exitCode = await build();
