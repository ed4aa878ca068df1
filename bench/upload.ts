import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { report } from './row.ts';
import { serviceFlags } from './servers/child.ts';

/* A feed of 1 GiB in lines into the service as it is started by `npm start`: by how much its process grows. */

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
const definition = {
  id: 'p',
  stages: [{ name: 'Pick', workers: 4, tasks: [{ task: 'json_schema', with: { schema: true } }] }],
  retention: { maxItems: 1000 },
};
writeFileSync(join(folder, 'p.json'), JSON.stringify(definition));

const child = spawn(process.execPath, [...serviceFlags(), 'dist/src/server.js'], {
  cwd: root,
  env: { ...process.env, PORT: '0', PIPELINES: folder, OUTPUT_DIR: folder, BACKLOG_CAPACITY: '10000' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const url = await new Promise<string>((resolve, reject) => {
  child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const record = JSON.parse(line) as { msg: string; url: string };
    if (record.msg === 'listening') resolve(record.url);
  });
});

const rss = (): number => Number(execFileSync('ps', ['-o', 'rss=', '-p', String(child.pid)], { encoding: 'utf8' })) * 1024;
const text = 'x'.repeat(900);
function* lines(bytes: number): Generator<Buffer> {
  for (let sent = 0, n = 0; sent < bytes; ) {
    let chunk = '';
    while (chunk.length < 65_536) chunk += `${JSON.stringify({ n: n++, text, tags: ['a', 'b', 'c'] })}\n`;
    sent += chunk.length;
    yield Buffer.from(chunk);
  }
}
async function feed(bytes: number): Promise<void> {
  const answer = await fetch(`${url}/pipelines/p/feed`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: Readable.toWeb(Readable.from(lines(bytes))) as ReadableStream,
    duplex: 'half',
  } as RequestInit);
  if (answer.status !== 202) throw new Error(`answered ${answer.status}: ${await answer.text()}`);
}

// The code is compiled and the backlog was full once: what comes after that is what the length costs.
await feed(32 * MIB);
const before = rss();
let peak = before;
const watch = setInterval(() => {
  peak = Math.max(peak, rss());
}, 100);
await feed(GIB);
clearInterval(watch);
child.removeAllListeners('exit');
child.kill('SIGKILL');
rmSync(folder, { recursive: true });
const growth = (peak - before) / MIB;
report([
  { claim: 'a feed of 1 GiB in lines: growth of the process', bar: '< 64 MiB', figure: `${growth.toFixed(0)} MiB`, holds: growth < 64 },
]);
