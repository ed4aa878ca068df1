/**
 * Holds the pages at the root against the project: the tests that ARCHITECTURE.md names exist and guard all invariants, the
 * files and scripts that it names exist, and no link of it or of its neighbours leads nowhere.
 *
 * A test is named as a file in backquotes, then one title or several, a beginning or a part of each:
 *
 *     `test/engine/retry.test.ts` "doubles up to its maximum", "takes no random number"
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOMS } from '../scripts/rooms.ts';

const ARCHITECTURE = prose('ARCHITECTURE.md');
const INVARIANTS = Array.from({ length: 12 }, (_, i) => i + 1);
const SECURITY = prose('docs/security.md');
const DELIVERY = prose('docs/delivery.md');
const PAGES = [
  'ARCHITECTURE.md',
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'docs/cluster.md',
  'docs/delivery.md',
  'docs/operations.md',
  'docs/scaling.md',
  'docs/security.md',
  'docs/stores.md',
];

interface Reference {
  file: string;
  title: string;
}

/** A page without its fenced blocks, whose content is no prose. */
function prose(page: string): string {
  return readFileSync(page, 'utf8').replaceAll(/^```.*?^```$/gms, '');
}

function referencesIn(text: string): Reference[] {
  return [...text.matchAll(/`(?<file>test\/[^`]+[.]ts)`(?<titles>(?:,?\s+"[^"]+")+)/g)].flatMap(({ groups }) =>
    [...String(groups?.titles).matchAll(/"([^"]+)"/g)].map(([, title]) => ({
      file: String(groups?.file),
      // It may go on in the next line of the page.
      title: String(title).replaceAll(/\s+/g, ' '),
    })),
  );
}

/** The lines of a test file that begin a test or a group of them, or end the table of one. A title on a line of its own belongs to the one before. */
function titlesIn(file: string): string[] {
  return readFileSync(file, 'utf8')
    .replaceAll(/\(\n\s*(?=['"`])/g, '(')
    .split('\n')
    .filter((line) => /^\s*(?:(?:describe|it|test)\b|\](?: as const)?\)\().*['"`]/.test(line));
}

/** What the list of invariants says, by number. */
function invariantsIn(text: string): Map<number, string> {
  const section = /^## \d+[.] Invariants$(.*?)^## /ms.exec(text)?.[1] ?? '';
  const entries = section.split(/^(?=\d+[.] \*\*)/m).slice(1);
  return new Map(entries.map((entry) => [Number.parseInt(entry, 10), entry]));
}

/** What stands in backquotes and is nothing but a path below one of these folders. */
function pathsIn(text: string, folders: string): string[] {
  return [...text.matchAll(new RegExp(`\`((?:${folders})/[\\w./-]*)\``, 'g'))].map(([, path]) => String(path));
}

/** The anchor of a heading, as code hosts make it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

function anchorsIn(page: string): string[] {
  return [...prose(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(String(heading)));
}

function linksIn(page: string): string[] {
  const targets = [...prose(page).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target]) => String(target));
  return targets.filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target));
}

/** Why a relative link leads nowhere, or undefined. */
function linkFault(page: string, target: string): string | undefined {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? page : join(dirname(page), path);
  if (!existsSync(file)) return `${target}: there is no ${file}`;
  if (anchor !== undefined && (statSync(file).isDirectory() || !anchorsIn(file).includes(anchor))) return `${target}: no such heading`;
  return undefined;
}

describe('the tests that ARCHITECTURE.md, docs/delivery.md and docs/security.md name', () => {
  const references = [...referencesIn(ARCHITECTURE), ...referencesIn(DELIVERY), ...referencesIn(SECURITY)];
  const files = [...new Set(references.map(({ file }) => file))];

  it.each(files)('%s has the titles that are quoted', (file) => {
    expect(existsSync(file), `${file} does not exist`).toBe(true);
    const titles = titlesIn(file);
    const quoted = references.filter((reference) => reference.file === file);
    expect(quoted.map(({ title }) => title).filter((title) => !titles.some((line) => line.includes(title)))).toEqual([]);
  });

  it('are quoted with every name of a test file that the list of invariants has', () => {
    for (const entry of invariantsIn(ARCHITECTURE).values()) {
      const named = pathsIn(entry, 'test');
      expect(new Set(named)).toEqual(new Set(referencesIn(entry).map(({ file }) => file)));
    }
  });
});

describe('the invariants in ARCHITECTURE.md', () => {
  const invariants = invariantsIn(ARCHITECTURE);

  it('are all twelve, in their order', () => {
    expect([...invariants.keys()]).toEqual(INVARIANTS);
  });

  it.each(INVARIANTS)('%i is guarded by a test that names it', (number) => {
    const titles = referencesIn(invariants.get(number) ?? '').map(({ title }) => title);
    expect(titles.filter((title) => new RegExp(`\\binvariant ${number}\\b`).test(title))).not.toEqual([]);
  });
});

describe('the rooms of the engine, of the cluster and of the HTTP side', () => {
  const rooms = Object.entries(ROOMS).flatMap(([inside, names]) => names.map((name) => [`${inside}/${name}`, name] as const));
  const folders = rooms.filter(([, name]) => !name.endsWith('.ts'));

  it.each(folders)('%s says in one first comment what it is for, what holds in it, and what it refuses', (folder, name) => {
    const firstComments = readdirSync(folder).map((file) => /^\/\*.*?\*\//s.exec(readFileSync(join(folder, file), 'utf8'))?.[0] ?? '');
    const pages = firstComments.filter((comment) => comment.includes(`* Room \`${name}\`: `));
    expect(pages).toHaveLength(1);
    expect(pages[0]).toMatch(/\n \* Holds:\s.*\n \* Refuses: /s);
  });

  it.each(rooms)('%s stands in the map', (path, name) => {
    expect(name === 'index.ts' || pathsIn(ARCHITECTURE, 'src').some((named) => named === path || named.startsWith(`${path}/`))).toBe(true);
  });
});

describe('the attacks in docs/security.md', () => {
  const section = SECURITY.split(/^## /m).find((part) => part.startsWith('What they can try')) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('| '));

  it('are each stopped by something that a test shows', () => {
    const [, ...attacks] = rows.filter((row) => !row.startsWith('| ---') && !row.startsWith('|---'));
    expect(attacks.length).toBeGreaterThan(3);
    for (const row of attacks) {
      const tests = pathsIn(row.split(' | ').at(-1) ?? '', 'test');
      expect(tests.length, row).toBeGreaterThan(0);
      expect(
        tests.filter((path) => !existsSync(path)),
        row,
      ).toEqual([]);
    }
  });
});

describe('the promises in docs/delivery.md', () => {
  const promises = DELIVERY.split(/^(?=- )/m).slice(1);

  it('each name the tests that show them, unless they say what is not promised', () => {
    expect(promises.length).toBeGreaterThan(30);
    const bare = promises.filter((promise) => !promise.startsWith('- Nothing is promised about') && referencesIn(promise).length === 0);
    expect(bare).toEqual([]);
    for (const promise of promises)
      expect(new Set(pathsIn(promise, 'test'))).toEqual(new Set(referencesIn(promise).map(({ file }) => file)));
  });
});

describe('what the pages at the root refer to', () => {
  it.each(PAGES)('%s links only to what is there', (page) => {
    expect(linksIn(page).flatMap((target) => linkFault(page, target) ?? [])).toEqual([]);
  });

  it.each(PAGES)('%s names only files of the product and its tests that are there', (page) => {
    const paths = pathsIn(prose(page), 'src|routes|tasks|test|scripts|examples');
    expect(paths.filter((path) => !existsSync(path))).toEqual([]);
  });

  it.each(PAGES)('%s names only npm scripts that are there', (page) => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const named = [...readFileSync(page, 'utf8').matchAll(/\bnpm run ([\w:]+)/g)].map(([, script]) => String(script));
    expect(named.filter((script) => scripts[script] === undefined)).toEqual([]);
  });

  it('is not nothing', () => {
    expect(referencesIn(ARCHITECTURE).length).toBeGreaterThan(12);
    expect(linksIn('ARCHITECTURE.md').length).toBeGreaterThan(2);
    expect(pathsIn(ARCHITECTURE, 'src').length).toBeGreaterThan(10);
  });
});
