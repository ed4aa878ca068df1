import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { BenchRow } from './row.ts';
import { serviceFlags } from './servers/child.ts';

/*
 * Runs every benchmark in a process of its own, with the flags of the service, prints a table and writes docs/benchmarks.md.
 * `npm run bench -- throughput` runs only the named ones, and writes nothing; with `--keep` before the names it writes their rows and keeps the others.
 */

const ALL = [
  'throughput',
  'memory',
  'watchdog',
  'metrics',
  'latency',
  'timers',
  'startup',
  'http',
  'durable',
  'cluster',
  'backlog',
  'looking',
  'sizing',
  'edges',
  'upload',
  'overload',
  'sse',
  'fan-out',
  'http-request',
  'masking',
  'expressions',
];
const root = fileURLToPath(new URL('..', import.meta.url));

async function run(name: string): Promise<BenchRow[]> {
  const child = spawn(process.execPath, ['--expose-gc', ...serviceFlags(), fileURLToPath(new URL(`./${name}.ts`, import.meta.url))], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`bench/${name}.ts ended with ${code}`);
  return JSON.parse(out.trim().split('\n').at(-1) as string) as BenchRow[];
}

const PAGE = new URL('../docs/benchmarks.md', import.meta.url);

const linesOf = (name: string, rows: readonly BenchRow[]): string[] =>
  rows.map(({ claim, bar, figure, holds }) => `| ${name} | ${claim} | ${bar} | ${figure} | ${holds ? 'yes' : '**no**'} |`);

/** The rows that the page has, by the name of their bench. */
function kept(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of readFileSync(PAGE, 'utf8').split('\n')) {
    const [, name = ''] = /^\| ([\w-]+) \|/.exec(line) ?? [];
    if (ALL.includes(name)) found.set(name, [...(found.get(name) ?? []), line]);
  }
  return found;
}

function page(lines: readonly string[]): string {
  return [
    '# Benchmarks',
    '',
    'Written by `npm run bench`; each row is measured by the file of that name under `bench/`. Ratios are taken within one run,',
    'in turns with what they are compared to, since absolute times say more about the machine than about Sluice. A figure is the median;',
    'in brackets are the least and the most. All processes run with the flags of `npm start`. `npm run bench -- --keep NAME` measures the rows of',
    'one bench anew and keeps the others.',
    '',
    `Measured on Node ${process.versions.node}, ${platform()} ${arch()}, ${cpus().length} cores.`,
    '',
    '| bench | claim | bar | figure | holds |',
    '|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}

const given = process.argv.slice(2);
const isKeeping = given[0] === '--keep';
const named = isKeeping ? given.slice(1) : given;
const names = named.length > 0 ? named : ALL;
const unknown = names.filter((name) => !ALL.includes(name));
if (unknown.length > 0) throw new Error(`no benchmark ${unknown.join(', ')}; there are ${ALL.join(', ')}`);
if (['startup', 'sizing', 'upload', 'cluster'].some((name) => names.includes(name)))
  execFileSync('npm', ['run', 'build', '--silent'], { cwd: root, stdio: 'inherit' });

const results: { name: string; rows: BenchRow[] }[] = [];
for (const name of names) {
  const rows = await run(name);
  results.push({ name, rows });
  for (const { claim, bar, figure, holds } of rows) console.log(`${holds ? '  ok  ' : 'SHORT '} ${claim}: ${figure} (${bar})`);
}
if (isKeeping || names.length === ALL.length) {
  const before = isKeeping ? kept() : new Map<string, string[]>();
  for (const { name, rows } of results) before.set(name, linesOf(name, rows));
  writeFileSync(PAGE, page(ALL.flatMap((name) => before.get(name) ?? [])));
}
process.exitCode = results.some(({ rows }) => rows.some((row) => !row.holds)) ? 1 : 0;
