/**
 * Makes the pages of docs/ that only repeat what the code says.
 *
 *   node scripts/docs.ts           writes them
 *   node scripts/docs.ts --check   writes nothing, and fails when one is not as it would be written
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configurationPage } from './docs/configuration.ts';
import { errorsPage } from './docs/errors.ts';
import { eventsPage } from './docs/events.ts';
import { tasksPage } from './docs/tasks.ts';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const pages: Record<string, string> = {
  'docs/configuration.md': configurationPage(),
  'docs/errors.md': errorsPage(),
  'docs/events.md': eventsPage(),
  'docs/tasks.md': tasksPage(),
};

function isCurrent(path: string, text: string): boolean {
  try {
    return readFileSync(path, 'utf8') === text;
  } catch {
    return false;
  }
}

const outdated = Object.entries(pages).filter(([path, text]) => !isCurrent(path, text));
if (process.argv.includes('--check')) {
  for (const [path] of outdated) console.error(`${path} is not what the code says; run \`npm run docs\``);
  if (outdated.length > 0) process.exitCode = 1;
} else {
  mkdirSync('docs', { recursive: true });
  for (const [path, text] of outdated) {
    writeFileSync(path, text);
    console.log(path);
  }
}
