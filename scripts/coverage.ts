/**
 * Runs all tests (`npm test`) and measures which code they run, in vitest's processes and in those that the tests start. Prints the shares by
 * room, writes the lines that were missed to `coverage/missed.txt`, and fails when a test fails or a share is below its floor.
 *
 * A process that was killed writes nothing down, or a part that is of no use, so code that only such a process runs counts as missed.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { COVERAGE, PROCESSES, VITEST } from './coverage-files.ts';

/** Percent of lines, of all that is shipped. */
const LINES_MIN = 95;
/** Percent of branches of `src/engine`, by tests in vitest's own processes: where each branch is meant to have a test. */
const ENGINE_BRANCHES_MIN = 94;

interface Position {
  line: number;
  column: number;
}

/** A file, as istanbul tells of it. */
interface FileCoverage {
  path: string;
  statementMap: Record<string, { start: Position }>;
  s: Record<string, number>;
  b: Record<string, number[]>;
}

/** A range of offsets in the source, and how often it ran. */
interface Range {
  startOffset: number;
  endOffset: number;
  count: number;
}

interface Profile {
  result: { url: string; functions: { ranges: Range[] }[] }[];
}

interface Count {
  covered: number;
  total: number;
}

rmSync(COVERAGE, { recursive: true, force: true });
const tests = spawnSync('npm', ['test'], { stdio: 'inherit', env: { ...process.env, COVERAGE: '1' } });
if (tests.status !== 0) process.exit(tests.status ?? 1);

const root = fileURLToPath(new URL('..', import.meta.url));
const files = JSON.parse(readFileSync(join(VITEST, 'coverage-final.json'), 'utf8')) as Record<string, FileCoverage>;
const profiles = rangesByFile(PROCESSES);
const lines = new Map<string, Count>();
const branches = new Map<string, Count>();
const missed: string[] = [];

for (const file of Object.values(files)) {
  const found = linesOf(file, profiles.get(file.path) ?? []);
  add(lines, file.path, found.total - found.missed.length, found.total);
  const ways = Object.values(file.b).flat();
  add(branches, file.path, ways.filter((count) => count > 0).length, ways.length);
  if (found.missed.length > 0) missed.push(`${file.path.slice(root.length)}: ${found.missed.join(', ')}`);
}

for (const room of [...lines.keys()].sort())
  console.log(`${room.padEnd(24)} lines ${text(lines, room)}   branches ${text(branches, room)}`);
writeFileSync(join(COVERAGE, 'missed.txt'), `${missed.sort().join('\n')}\n`);
hold('lines in all', percent(lines, 'all'), LINES_MIN);
hold('branches of src/engine', percent(branches, 'src/engine'), ENGINE_BRANCHES_MIN);

/** Functions of each file of the project, one list a process that loaded it, the outer ranges before the inner ones. */
function rangesByFile(folder: string): Map<string, Range[][][]> {
  const found = new Map<string, Range[][][]>();
  const paths = new Map(Object.keys(files).map((path) => [pathToFileURL(path).href, path]));
  for (const name of readdirSync(folder)) {
    const profile = profileIn(join(folder, name));
    if (profile === undefined) {
      console.error(`${name} is cut short: its process was killed as it wrote it`);
      continue;
    }
    const { result } = profile;
    for (const { url, functions } of result) {
      const path = paths.get(url);
      if (path === undefined) continue;
      found.set(path, [...(found.get(path) ?? []), functions.map(({ ranges }) => ranges)]);
    }
  }
  return found;
}

/** undefined: the file ends in the middle. */
function profileIn(path: string): Profile | undefined {
  const text = readFileSync(path, 'utf8');
  try {
    return JSON.parse(text) as Profile;
  } catch (error) {
    if (text.trimEnd().endsWith('}')) throw error;
    return undefined;
  }
}

/** The lines on which a statement begins; those of which none ran are missed. */
function linesOf({ path, statementMap, s }: FileCoverage, processes: Range[][][]): { total: number; missed: number[] } {
  const starts = [0];
  for (const { index } of readFileSync(path, 'utf8').matchAll(/\n/g)) starts.push(index + 1);
  const ran = new Map<number, boolean>();
  for (const [id, { start }] of Object.entries(statementMap)) {
    const offset = (starts[start.line - 1] as number) + start.column;
    const isRun = (s[id] as number) > 0 || processes.some((functions) => countAt(functions, offset) > 0);
    ran.set(start.line, ran.get(start.line) === true || isRun);
  }
  return { total: ran.size, missed: [...ran].filter(([, isRun]) => !isRun).map(([line]) => line) };
}

/** How often what is at this offset ran: the smallest range around it knows. */
function countAt(functions: Range[][], offset: number): number {
  let smallest: Range | undefined;
  for (const range of functions.flat()) {
    if (offset < range.startOffset || offset >= range.endOffset) continue;
    if (smallest === undefined || range.endOffset - range.startOffset <= smallest.endOffset - smallest.startOffset) smallest = range;
  }
  return smallest?.count ?? 0;
}

/** Counts for each folder down to the rooms, and for all. */
function add(counts: Map<string, Count>, path: string, covered: number, total: number): void {
  const folders = path.slice(root.length).split('/').slice(0, -1);
  const rooms = ['all', ...folders.map((_, i) => folders.slice(0, i + 1).join('/'))];
  for (const room of rooms) {
    const before = counts.get(room) ?? { covered: 0, total: 0 };
    counts.set(room, { covered: before.covered + covered, total: before.total + total });
  }
}

function percent(counts: Map<string, Count>, room: string): number {
  const { covered, total } = counts.get(room) ?? { covered: 0, total: 0 };
  return total === 0 ? 100 : (100 * covered) / total;
}

function text(counts: Map<string, Count>, room: string): string {
  return `${percent(counts, room).toFixed(1).padStart(5)} %`;
}

function hold(what: string, found: number, least: number): void {
  console.log(`${what}: ${found.toFixed(2)} % (floor ${least} %)`);
  if (found >= least) return;
  console.error(`${what} fell below the floor`);
  process.exitCode = 1;
}
