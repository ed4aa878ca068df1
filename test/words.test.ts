/** Holds the texts of the code and the pages to the house's English: docstrings name what they describe, and known bad phrases stay out. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** Clauses in place of a noun: the reader has to guess what is described. */
const BAD_START = /^(?:What|Of|Those|Who|Whose)\b/;

/** Phrases that were mended, and must not come back. */
const BAD_PHRASES = [
  /\bas it should be\b/,
  /\b(?:is|are) no (?:valid|expression|name of|JSON\b|host\b|store\b|file\b)/,
  /\bnot to be had\b/,
  /\bwould come of it\b/,
  /\bmust bear (?:that|repetition)\b/,
  /\bgoes before the (?:definition|query)\b/,
  /\blowest height\b/,
  /\bwith effects outside\b/,
  /\bis not there already\b/,
];

const filesOf = (...paths: string[]): string[] =>
  execFileSync('git', ['ls-files', '--', ...paths], { encoding: 'utf8' })
    .split('\n')
    .filter((file) => file !== '');

/** The docstrings of a source file, each as its line and its first words. */
function docstringsOf(text: string): { line: number; start: string }[] {
  return [...text.matchAll(/\/\*\*(?:[ \t]|\s*\*[ \t])*([^\n]*)/g)].map(({ index, 1: start = '' }) => ({
    line: text.slice(0, index).split('\n').length,
    start,
  }));
}

const badStarts = (file: string): string[] =>
  docstringsOf(readFileSync(file, 'utf8')).flatMap(({ line, start }) => (BAD_START.test(start) ? [`${file}:${line} ${start}`] : []));

/** The types of the client repeat the texts of the OpenAPI document, titles among them. */
const GENERATED = 'src/client/api-types.ts';
const sources = filesOf('src', 'routes', 'tasks', 'scripts').filter((file) => file.endsWith('.ts') && file !== GENERATED);

describe('docstrings', () => {
  it('begin with what a thing is or does', () => {
    expect(sources.length).toBeGreaterThan(200);
    expect(sources.flatMap(badStarts)).toEqual([]);
  });

  it('are found, on one line or on several', () => {
    expect(docstringsOf('/** What */\n/**\n * Of two\n * lines\n */')).toEqual([
      { line: 1, start: 'What */' },
      { line: 2, start: 'Of two' },
    ]);
  });
});

it('no text that a user reads has a phrase that was mended', () => {
  const pages = filesOf('README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'docs').filter(
    (file) => file.endsWith('.md') && !file.startsWith('docs/adr/'),
  );
  const found = [...sources, ...pages].flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((text, index) => (BAD_PHRASES.some((phrase) => phrase.test(text)) ? [`${file}:${index + 1} ${text.trim()}`] : [])),
  );
  expect(found).toEqual([]);
});
