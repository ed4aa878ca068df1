/**
 * Fetches the pages of a small site through the pipeline of pages.yaml, and prints what it found as NDJSON: first two urgent pages, which
 * overtake the others, then all of a feed in its order.
 *
 *   node examples/pages/index.ts
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startSite } from './site.ts';

const PAGES = 40;

const site = await startSite();
const service = await startService();
const ndjson = (urls: string[]): string => urls.map((url) => `${JSON.stringify({ id: url, value: { url } })}\n`).join('');

// All pages of both hosts, and one that does not exist.
const all = site.origins.flatMap((origin) => Array.from({ length: PAGES }, (_, i) => `${origin}/page/${i + 1}`));
const fed = await fetch(`${service.url}/pipelines/pages/feed?feedId=all`, {
  method: 'POST',
  headers: { 'content-type': 'application/x-ndjson' },
  body: ndjson([...all, `${site.origins[0]}/nowhere`]),
});
if (fed.status !== 202) throw new Error(`the feed was answered ${fed.status}: ${await fed.text()}`);

// In a hurry: these two go before everything that waits.
const urgent = await fetch(`${service.url}/pipelines/pages/run?priority=1`, {
  method: 'POST',
  headers: { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' },
  body: ndjson(site.origins.map((origin) => `${origin}/page/1000`)),
});
// All that is fed waits there. Only now does the site begin to answer, so that what overtakes can be seen on any machine.
site.open();
await print(urgent);

// The others as they come, in the order in which they were fed.
await print(await fetch(`${service.url}/pipelines/pages/feeds/all/results?follow=true`, { headers: { accept: 'application/x-ndjson' } }));

process.stderr.write(`${JSON.stringify(site.seen)}\n`);
service.stop();
site.close();

async function print(answer: Response): Promise<void> {
  if (answer.status !== 200 || answer.body === null) throw new Error(`answered ${answer.status}: ${await answer.text()}`);
  for await (const chunk of answer.body) process.stdout.write(chunk);
}

/** The service as a process of its own, which may reach this machine. */
async function startService(): Promise<{ url: string; stop(): void }> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const child = spawn(process.execPath, ['src/server.ts'], {
    cwd: root,
    env: {
      ...process.env,
      PORT: '0',
      PIPELINES: 'examples/pages/pages.yaml',
      HTTP_ALLOW_HOSTS: '127.0.0.0/8,::1',
      LOG_LEVEL: 'info',
      STORE_URL: 'memory:',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, url } = JSON.parse(line) as { msg: string; url?: string };
    if (msg !== 'listening' || url === undefined) continue;
    child.stdout.resume();
    return { url, stop: () => void child.kill('SIGTERM') };
  }
  throw new Error('the service did not start');
}
