/**
 * Makes the pages of docs/ that only repeat what the code says.
 *
 *   node scripts/docs.ts           writes them
 *   node scripts/docs.ts --check   writes nothing, and fails when one is not as it would be written
 */
import { fileURLToPath } from 'node:url';
import { bareApp } from './bare-app.ts';
import { configurationPage } from './docs/configuration.ts';
import { errorsPage } from './docs/errors.ts';
import { eventsPage } from './docs/events.ts';
import { securityPage } from './docs/security.ts';
import { tasksPage } from './docs/tasks.ts';
import { writeOrCheck } from './generated.ts';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const app = await bareApp();

const pages: Record<string, string> = {
  'docs/configuration.md': configurationPage(),
  'docs/errors.md': errorsPage(),
  'docs/events.md': eventsPage(),
  'docs/security.md': securityPage(app.routeAccess),
  'docs/tasks.md': tasksPage(),
};
await app.close();

writeOrCheck(pages, 'docs');
