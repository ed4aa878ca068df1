/**
 * Feeds two pages from within a trace, and prints the spans of the service as NDJSON; on stderr, the headers that the pages' server was sent.
 *
 *   node examples/tracing/index.ts
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

const seen: { path: string | undefined; traceparent: string | string[] | undefined; tracestate: string | string[] | undefined }[] = [];
const site = createServer(({ url, headers: { traceparent, tracestate } }, reply) => {
  seen.push({ path: url, traceparent, tracestate });
  reply.writeHead(url === '/nowhere' ? 404 : 200).end('a page');
});
site.listen(0, '127.0.0.1');
await once(site, 'listening');
const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;

const folder = await mkdtemp(join(tmpdir(), 'sluice-tracing-'));
const spansFile = join(folder, 'spans.ndjson');
const service = await startService();
const items = ['page', 'nowhere'].map((path) => ({ id: path, value: { url: `${origin}/${path}` } }));
const answer = await fetch(`${service.url}/pipelines/pages/run?feedId=traced`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', traceparent: TRACEPARENT, tracestate: 'example=1' },
  body: JSON.stringify({ items }),
});
if (answer.status !== 200) throw new Error(`the run was answered ${answer.status}: ${await answer.text()}`);
await service.stop();
site.close();

process.stdout.write(await readFile(spansFile, 'utf8'));
process.stderr.write(`${JSON.stringify(seen)}\n`);
await rm(folder, { recursive: true });

/** The service as a process of its own, with the SDK of otel.ts. */
async function startService(): Promise<{ url: string; stop(): Promise<unknown> }> {
  const child = spawn(process.execPath, ['--import', './examples/tracing/otel.ts', 'src/server.ts'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: {
      ...process.env,
      PORT: '0',
      PIPELINES: 'examples/tracing/tracing.yaml',
      HTTP_ALLOW_HOSTS: '127.0.0.0/8',
      LOG_LEVEL: 'info',
      STORE_URL: 'memory:',
      SPANS_FILE: spansFile,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const record = JSON.parse(line) as { msg: string; url?: string };
      if (record.msg === 'listening' && record.url !== undefined) resolve(record.url);
    });
    child.once('exit', (code) => reject(new Error(`the service ended with the exit code ${code}`)));
  });
  const stop = (): Promise<unknown> => {
    child.kill('SIGTERM');
    return once(child, 'exit');
  };
  return { url, stop };
}
