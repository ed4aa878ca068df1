import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, report } from './row.ts';
import { serviceFlags } from './servers/child.ts';

/* From the start of the process, as built by `npm run build` and with the flags of `npm start`, to the first 200 of /readyz. */

const ROUNDS = 7;
const root = fileURLToPath(new URL('..', import.meta.url));

/** Not by `fetch`: asking in vain hundreds of times would take from the server the processor that it starts on. */
function statusOf(port: number): Promise<number> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/readyz', agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    request.on('error', () => resolve(0));
  });
}

async function startOnce(port: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const before = performance.now();
  const child = spawn(process.execPath, [...serviceFlags(), join(root, 'dist/src/server.js')], {
    cwd: root,
    env: { ...process.env, PORT: String(port), OUTPUT_DIR: folder },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    for (;;) {
      if ((await statusOf(port)) === 200) return performance.now() - before;
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  } finally {
    child.kill('SIGTERM');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

const times: number[] = [];
for (let round = 0; round < ROUNDS; round++) times.push(await startOnce(3470 + round));
const typical = median(times);
report([
  { claim: 'from process start to /readyz 200: median', bar: '< 1 s', figure: `${(typical / 1000).toFixed(2)} s`, holds: typical < 1000 },
]);
