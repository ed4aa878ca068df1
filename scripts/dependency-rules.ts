/**
 * Checks the import rules of `.dependency-cruiser.mjs` in the working directory, and prints the rooms of the engine and of the HTTP
 * side, top to bottom, with the arrows between them.
 *
 * A cruise that parses nothing finds no violation, so a green run proves something only together with the count: the check also
 * fails when a TypeScript file of src, routes or tasks is missing from the modules that were cruised, when a file is in none of the
 * rooms, and when an exception to their order is needed no longer.
 */
import { existsSync, globSync } from 'node:fs';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cruise, format, type ICruiseResult } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import { ROOMS, UPWARD } from './rooms.ts';

const productFolders = ['src', 'routes', 'tasks'];
const otherFolders = ['test', 'bench', 'scripts', 'examples', 'dashboard'];

const folders = [...productFolders, ...otherFolders].filter((folder) => existsSync(folder));
const options = await extractDepcruiseOptions(fileURLToPath(new URL('../.dependency-cruiser.mjs', import.meta.url)));
const { output } = await cruise(folders, options);
const result = output as ICruiseResult;
const imports = result.modules.flatMap(({ source, dependencies }) => dependencies.map(({ resolved }) => ({ from: source, to: resolved })));

const report = await format(result, { outputType: 'err' });
for (const [folder, names] of Object.entries(ROOMS)) console.log(drawing(folder, names));
console.log(String(report.output).trim());

const cruised = new Set(result.modules.map((module) => module.source));
const product = globSync(productFolders.map((folder) => `${folder}/**/*.ts`)).map((path) => path.split(sep).join('/'));
const faults = [
  ...(product.length === 0 ? ['No TypeScript file below src, routes or tasks: nothing was checked.'] : []),
  ...product.filter((path) => !cruised.has(path)).map((path) => `${path} was not cruised.`),
  ...product.filter((path) => isWithoutRoom(path)).map((path) => `${path} is in none of the rooms of its folder.`),
  ...UPWARD.filter(({ from, to }) => !imports.some((one) => one.from.startsWith(from) && one.to.startsWith(to))).map(
    ({ from, to }) => `No file of ${from} imports ${to} any more: the exception in scripts/rooms.ts is to go.`,
  ),
];
for (const fault of faults) console.error(fault);
if (result.summary.error > 0 || faults.length > 0) process.exitCode = 1;

/** The room of a file, or undefined. */
function roomOf(path: string, folder: string): string | undefined {
  return path.startsWith(`${folder}/`) ? path.slice(folder.length + 1).split('/')[0] : undefined;
}

function isWithoutRoom(path: string): boolean {
  return Object.entries(ROOMS).some(([folder, names]) => {
    const room = roomOf(path, folder);
    return room !== undefined && !names.includes(room);
  });
}

/** A line a room: what it imports, and how many imports that are; `^` marks those that go up. */
function drawing(folder: string, names: readonly string[]): string {
  const arrows = new Map<string, number>();
  for (const { from, to } of imports) {
    const [a, b] = [roomOf(from, folder), roomOf(to, folder)];
    if (a !== undefined && b !== undefined && a !== b) arrows.set(`${a} ${b}`, (arrows.get(`${a} ${b}`) ?? 0) + 1);
  }
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map((room, i) => {
    const targets = names.flatMap((target, j) => {
      const count = arrows.get(`${room} ${target}`);
      return count === undefined ? [] : [`${j < i ? '^' : ''}${target} ${count}`];
    });
    return `  ${room.padEnd(width)}  ${targets.join(', ')}`.trimEnd();
  });
  return [`${folder}: ${names.length} rooms, ${arrows.size} arrows, with the number of imports`, ...lines, ''].join('\n');
}
