/** The command line that an interrupted `sluice feed` prints. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { countsIn, goingOn, type Interrupted } from '../../src/terminal/going-on.ts';
import { shellWord } from '../../src/terminal/shell.ts';

const before = { total: 2, duplicates: 0 };
const lineOf = (given: Partial<Interrupted>): string =>
  goingOn({ pipeline: 'p', file: 'x.ndjson', feedId: 'f', flags: {}, before, ...given });

/** The words that a shell makes of a line. */
const wordsOf = (line: string): string[] =>
  execFileSync('bash', ['--norc', '-c', `sluice() { printf '%s\\0' "$@"; }; ${line}`], { encoding: 'utf8', env: { LC_ALL: 'C.UTF-8' } })
    .split('\0')
    .slice(0, -1);

describe('the command that goes on', () => {
  it.each([
    ['a new feed', {}, before, '--resume'],
    ['a resumed one', { resume: true }, before, '--resume'],
    ['an appended one', { append: true }, before, '--resume-after 2'],
    ['an appended one with duplicates', { append: true }, { total: 2, duplicates: 5 }, '--resume-after 2+5'],
    ['an appended one that was resumed', { resumeAfter: { total: 1, duplicates: 1 } }, before, '--resume-after 1+1'],
    ['an appended one of which nothing was sent', { append: true }, undefined, '--append'],
  ])('of %s counts what is of its file', (_, flags, counts, mode) => {
    expect(lineOf({ flags, before: counts })).toBe(`sluice feed p x.ndjson --feed f ${mode}`);
  });

  it('of a new feed of which nothing was sent takes no feed of that id for its own', () => {
    expect(lineOf({ before: undefined })).toBe('sluice feed p x.ndjson --feed f');
  });

  it('has every flag again, as a shell reads it', () => {
    const flags = { stage: "It's $HOME", priority: -1, idField: 'a b', keyFile: '~/k', url: 'http://h?a&b', follow: true, json: true };
    expect(wordsOf(lineOf({ file: "$(rm) 'x'.ndjson", flags }))).toEqual(
      ['feed', 'p', "$(rm) 'x'.ndjson", '--feed', 'f', '--resume', '--stage', "It's $HOME", '--priority', '-1', '--id-field', 'a b'].concat(
        ['--url', 'http://h?a&b', '--key-file', '~/k', '--follow', '--json'],
      ),
    );
  });

  it('names a file that looks like an option', () => {
    expect(lineOf({ file: '-x' })).toBe('sluice feed --feed f --resume -- p -x');
  });

  it.each(['', '-', 'a\u001b]0;b\u0007', "\\n'\n", 'é\u009b1m\u202e', '!x'])(
    'quotes %j for a shell without a character that a terminal acts on',
    (word) => {
      expect(shellWord(word)).toMatch(/^[^\p{Cc}\p{Cf}]+$/u);
      expect(wordsOf(`sluice ${shellWord(word)}`)).toEqual([word]);
    },
  );

  it.each(['', '-1', '1+', '1+2+3', '1.5', '9'.repeat(17)])('takes no counts from %j', (word) => {
    expect(countsIn(word)).toBeUndefined();
  });
});
