/**
 * Writes openapi/openapi.json from the routes, and openapi/client.json, its narrow part for client generators.
 *
 *   node scripts/openapi.ts           writes them
 *   node scripts/openapi.ts --check   fails when a file is not what the code says
 */
import { fileURLToPath } from 'node:url';
import { type ApiDocument, clientDocument } from '../src/http/schemas/client-document.ts';
import { bareApp } from './bare-app.ts';
import { writeOrCheck } from './generated.ts';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const app = await bareApp();
const whole = app.swagger() as unknown as ApiDocument;
await app.close();

const toText = (document: object): string => `${JSON.stringify(document, null, 2)}\n`;
writeOrCheck({ 'openapi/openapi.json': toText(whole), 'openapi/client.json': toText(clientDocument(whole)) }, 'openapi');
