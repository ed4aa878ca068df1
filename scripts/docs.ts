/**
 * Makes the pages of docs/ that only repeat what the code says.
 *
 *   node scripts/docs.ts           writes them
 *   node scripts/docs.ts --check   writes nothing, and fails when one is not as it would be written
 */
import { fileURLToPath } from 'node:url';
import { configurationPage } from './docs/configuration.ts';
import { errorsPage } from './docs/errors.ts';
import { eventsPage } from './docs/events.ts';
import { tasksPage } from './docs/tasks.ts';
import { writeOrCheck } from './generated.ts';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const pages: Record<string, string> = {
  'docs/configuration.md': configurationPage(),
  'docs/errors.md': errorsPage(),
  'docs/events.md': eventsPage(),
  'docs/tasks.md': tasksPage(),
};

writeOrCheck(pages, 'docs');
