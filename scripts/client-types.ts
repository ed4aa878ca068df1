/**
 * Writes src/client/api-types.ts, the types of the client, from openapi/client.json. openapi-typescript works with TypeScript 5, so it is among the packages of
 * tools/clients, which this installs unless they are.
 *
 *   node scripts/client-types.ts           writes them
 *   node scripts/client-types.ts --check   fails when the file is not what the document says
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installClients } from './clients-install.ts';
import { writeOrCheck } from './generated.ts';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

interface Operation {
  parameters?: { in?: string }[];
  responses: Record<string, unknown>;
}
interface ApiDocument {
  paths: Record<string, Record<string, Operation>>;
}

const HEAD = `/**
 * The operations and schemas of the service, as types. Made by \`npm run clients:types\` from openapi/client.json: edit the schemas of the code, not this file.
 */
`;

/** Every refusal is a problem; an entry for each of twenty statuses in each operation says no more, and is most of the document. */
function narrowed(document: ApiDocument): ApiDocument {
  for (const methods of Object.values(document.paths)) {
    for (const operation of Object.values(methods)) {
      const isRefusal = (status: string): boolean => Number(status) >= 400;
      const refusal = Object.entries(operation.responses).find(([status]) => isRefusal(status));
      operation.responses = {
        ...Object.fromEntries(Object.entries(operation.responses).filter(([status]) => !isRefusal(status))),
        ...(refusal && { default: refusal[1] }),
      };
    }
  }
  return document;
}

/** A schema without its examples: they are in the document for who wants them. */
function withoutExamples(key: string, value: unknown): unknown {
  return key === 'examples' && Array.isArray(value) ? undefined : value;
}

function typesOf(document: ApiDocument): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-client-types-'));
  try {
    const [input, output] = [join(folder, 'client.json'), join(folder, 'types.ts')];
    writeFileSync(input, JSON.stringify(document, withoutExamples));
    const program = 'tools/clients/node_modules/openapi-typescript/bin/cli.js';
    execFileSync(process.execPath, [program, input, '--output', output, '--default-non-nullable', 'false'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return readFileSync(output, 'utf8').replace(/^\/\*\*.*?\*\/\n\n/s, '');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

installClients();
const document = JSON.parse(readFileSync('openapi/client.json', 'utf8')) as ApiDocument;
writeOrCheck({ 'src/client/api-types.ts': HEAD + typesOf(narrowed(document)) }, 'clients:types');
