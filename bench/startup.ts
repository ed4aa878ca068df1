import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median, report } from './row.ts';
import { serviceFlags } from './servers/child.ts';
import { readyAfter } from './startup-ready.ts';
import { storedRows } from './startup-stored.ts';

/*
 * From the start of the process, as built by `npm run build` and with the flags of `npm start`, to the first 200 of /readyz. `STORED=1000000` also starts over
 * stores with so many queued, finished and failed items, with a heap of 256 MiB.
 */

const ROUNDS = 7;
const STORED = Number(process.env.STORED ?? 0);
const root = fileURLToPath(new URL('..', import.meta.url));

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
    return (await readyAfter(child, port)) - before;
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
  ...(STORED > 0 ? await storedRows(STORED) : []),
]);
