/**
 * Packs the package and uses it as others do: publint reads it, TypeScript compiles against it under both ways of resolving, the example of the
 * library and the command line run on it, and its service runs a task file of a folder outside. Fails at the first thing that is wrong.
 *
 *   node scripts/package-check.ts
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const folder = mkdtempSync(join(tmpdir(), 'sluice-package-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

interface Locked {
  dev?: boolean;
  bin?: Record<string, string>;
}

const CLIENT_USE = `import { createSluice, type ItemResult } from 'sluice/client';
const sluice = createSluice({ url: 'http://127.0.0.1:1' });
export const ids = async (): Promise<string[]> => {
  const all: ItemResult[] = [];
  for await (const result of sluice.results('p')) all.push(result);
  return all.map(({ id }) => id);
};
`;

function fail(what: string): never {
  console.error(what);
  process.exit(1);
}

/** The packages installed along with this one: all that are not for development. */
function installedAlong(): [string, Locked][] {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> };
  return Object.entries(packages).filter(([path, { dev }]) => path.startsWith('node_modules/') && dev !== true);
}

function pack(): string {
  const printed = execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', folder], { encoding: 'utf8' });
  const [{ filename, files }] = JSON.parse(printed.slice(printed.indexOf('[\n'))) as [{ filename: string; files: { path: string }[] }];
  const odd = files
    .map(({ path }) => path)
    .filter(
      (path) =>
        !/^(dist\/.*\.(js|d\.ts|json)|dist\/dashboard\/.*|bin\/sluice\.js|package\.json|README\.md|CHANGELOG\.md|LICENSE)$/.test(path),
    );
  if (odd.length > 0) fail(`the package holds what nobody needs: ${odd.join(', ')}`);
  return join(folder, filename);
}

async function lint(project: string): Promise<void> {
  const { messages, pkg } = await publint({ pkgDir: join(project, 'node_modules/sluice'), strict: true, pack: false });
  if (messages.length > 0) fail(messages.map((message) => formatMessage(message, pkg)).join('\n'));
}

/** A project that has the package installed, with a program and a folder of tasks of its own. */
function createProject(tarball: string): string {
  const project = join(folder, 'project');
  const modules = join(project, 'node_modules');
  mkdirSync(join(modules, 'sluice'), { recursive: true });
  execFileSync('tar', ['-xzf', tarball, '-C', join(modules, 'sluice'), '--strip-components=1']);
  const typesOfNode = ['node_modules/@types/node', 'node_modules/undici-types'];
  for (const path of [...installedAlong().map(([path]) => path), ...typesOfNode]) {
    // Those inside of others come with them; some are for other systems.
    if (path.lastIndexOf('node_modules/') > 0) continue;
    mkdirSync(dirname(join(project, path)), { recursive: true });
    symlinkSync(resolve(path), join(project, path));
  }
  cpSync('examples/tasks', join(project, 'tasks'), { recursive: true });
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
  writeFileSync(join(project, 'usage.ts'), readFileSync('examples/usage.ts', 'utf8').replace("'../src/engine/index.ts'", "'sluice'"));
  writeFileSync(join(project, 'client.ts'), CLIENT_USE);
  return project;
}

function compile(project: string): void {
  const compiler = fileURLToPath(import.meta.resolve('typescript/package.json')).replace(/package[.]json$/, 'bin/tsc');
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    const compilerOptions = { module, moduleResolution, target: 'es2024', lib: ['es2024'], types: ['node'], strict: true, noEmit: true };
    const files = ['usage.ts', 'client.ts', 'tasks/measure.ts'];
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.json'], { cwd: project, encoding: 'utf8' });
    if (status !== 0) fail(`TypeScript with moduleResolution ${moduleResolution}:\n${stdout}`);
  }
}

function runLibrary(project: string): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['usage.ts'], { cwd: project, encoding: 'utf8' });
  if (status !== 0 || !stdout.includes('1: 4 words')) fail(`the library does not run:\n${stdout}${stderr}`);
}

function runCommandLine(project: string): void {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['node_modules/sluice/bin/sluice.js', 'ls', '--url', 'http://127.0.0.1:1'],
    {
      cwd: project,
      encoding: 'utf8',
    },
  );
  // It runs, and finds no service.
  if (status !== 69) fail(`the command line ended with ${status}:\n${stdout}${stderr}`);
}

async function runService(project: string): Promise<void> {
  const server = spawn(process.execPath, ['node_modules/sluice/dist/src/server.js'], {
    cwd: project,
    env: { PATH: process.env.PATH, PORT: '0', STORE_URL: 'memory:', TASKS_DIR: 'tasks' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(server, 'exit');
  let tasks = '';
  let page = '';
  for await (const line of createInterface({ input: server.stdout })) {
    const { msg, url } = JSON.parse(line) as { msg: string; url: string };
    if (msg !== 'listening') continue;
    tasks = await (await fetch(`${url}/tasks`)).text();
    page = await (await fetch(url, { headers: { accept: 'text/html' } })).text();
    server.kill('SIGTERM');
  }
  const [code] = await ended;
  if (code !== 0 || !tasks.includes('"measure"')) fail(`the service of the package ended with ${code}, its tasks: ${tasks}`);
  if (!page.startsWith('<!doctype html>')) fail(`the service of the package has no page: ${page}`);
}

const nodes = installedAlong().filter(([, { bin }]) => bin?.node !== undefined);
if (nodes.length > 0) fail(`installing the package puts another node on the PATH: ${nodes.map(([path]) => path).join(', ')}`);
const project = createProject(pack());
await lint(project);
compile(project);
runLibrary(project);
runCommandLine(project);
await runService(project);
console.log('the package can be installed, compiled against and run');
