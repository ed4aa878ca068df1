/** Runs the recipes of docs/clients.md in their order, each as a program of its own, against one service. A `text` block is what comes out of the one before it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServerProcess, startServer } from '../e2e/server.ts';
import { folderWith } from '../loader/folder.ts';
import { patternOf } from '../shown-output.ts';

const PAGE = readFileSync('docs/clients.md', 'utf8');
const CLIENT = pathToFileURL('src/client/index.ts').href;

interface Recipe {
  heading: string;
  language: string;
  program: string;
  shown: string[];
}

const recipes: Recipe[] = [...PAGE.matchAll(/^```(ts|sh|python)\n(.*?)^```\n\n```text\n(.*?)^```$/gms)].map(
  ([, language = '', program = '', shown = ''], i, all) => ({
    heading:
      PAGE.slice(0, all[i]?.index)
        .match(/^## .+$/gm)
        ?.at(-1) ?? '',
    language,
    program,
    shown: shown.trimEnd().split('\n'),
  }),
);

function has(command: string): boolean {
  return spawnSync(command, ['--version']).status === 0;
}
const missing = ['python3', 'curl', 'jq'].filter((command) => !has(command));
if (missing.length > 0) process.stderr.write(`SKIPPED: recipes of docs/clients.md that need ${missing.join(', ')}\n`);
const needs = ({ language }: Recipe): string[] => (language === 'python' ? ['python3'] : language === 'sh' ? ['curl', 'jq'] : []);

/** How a program of each language is run: the command, and the file that the program is written to, if to one. */
const RUNNERS: Record<string, (program: string, folder: string) => [string, string[]]> = {
  ts: (_, folder) => [process.execPath, ['--disable-warning=ExperimentalWarning', join(folder, 'recipe.ts')]],
  sh: (program) => ['bash', ['--noprofile', '--norc', '-e', '-c', program]],
  python: (program) => ['python3', ['-c', program]],
};

describe('the recipes of docs/clients.md', () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startServer({ PIPELINES: './pipelines/orders.yaml' });
  });
  afterAll(async () => void (await server.stop()));

  it('are all run', () => {
    expect(recipes).toHaveLength([...PAGE.matchAll(/^```(?:ts|sh|python)$/gm)].length);
    expect(recipes.filter(({ language }) => language === 'ts').length).toBeGreaterThan(5);
    if (process.env.CI === 'true') expect(missing).toEqual([]);
  });

  for (const recipe of recipes) {
    const { heading, language, program, shown } = recipe;
    it.skipIf(needs(recipe).some((command) => missing.includes(command)))(`${heading}, in ${language}`, () => {
      const folder = folderWith({
        'recipe.ts': program.replace("'sluice/client'", JSON.stringify(CLIENT)),
        'package.json': '{"type":"module"}',
      });
      const [command, args] = (RUNNERS[language] as (typeof RUNNERS)[string])(program, folder);
      const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env;
      const output = execFileSync(command, args, { encoding: 'utf8', env: { PATH, HOME, NODE_COMPILE_CACHE, SLUICE_URL: server.url } });
      const lines = output.trimEnd().split('\n');
      const unseen = shown.filter((line) => !lines.some((one) => patternOf(line).test(one)));
      expect(unseen, output).toEqual([]);
    });
  }
});
