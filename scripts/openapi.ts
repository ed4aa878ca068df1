/**
 * Writes openapi/openapi.json from the routes.
 *
 *   node scripts/openapi.ts           writes it
 *   node scripts/openapi.ts --check   fails when the file is not what the code says
 */
import { fileURLToPath } from 'node:url';
import { bareApp } from './bare-app.ts';
import { writeOrCheck } from './generated.ts';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const app = await bareApp();
const text = `${JSON.stringify(app.swagger(), null, 2)}\n`;
await app.close();

writeOrCheck({ 'openapi/openapi.json': text }, 'openapi');
