/** A node whose database or folder is not as it needs them, as a process. No PostgreSQL is needed. */
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { ServerProcess, startInVain } from './server.ts';

const TIMEOUT = { timeout: 60_000 };
const CLUSTER_KEY = 'a key that all nodes share';

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('a node whose database is away', () => {
  it('tells callers without a key so, and its log where the database is', TIMEOUT, async () => {
    const port = await freePort();
    const STORE_URL = `postgres://somebody:hidden@127.0.0.1:${port}/secretdb?schema=mine`;
    const server = new ServerProcess({ STORE_URL, CLUSTER_KEY, TAKEOVER_WAIT_SECONDS: '0' }, { cwd: folderWith() });
    await server.logged('listening');
    const { err } = await server.logged('the store cannot be opened; the start waits until it can');
    expect((err as { message: string }).message).toContain(`postgres://127.0.0.1:${port}/secretdb?schema=mine cannot be used now`);
    for (const path of ['/readyz', '/readyz?verbose', '/pipelines', '/events', '/pipelines/p/feeds/f', '/pipelines/p/snapshot']) {
      const { status, body } = await server.get(path);
      const leak = /127[.]0|secretdb|mine|hidden|postgres|ECONN/.exec(JSON.stringify(body));
      expect([path, status, leak?.[0]]).toEqual([path, 503, undefined]);
    }
    expect((await server.get('/readyz')).body.detail).toBe('the store is not writable: its database cannot be reached');
    expect(JSON.stringify(server.log)).not.toContain('hidden');
    server.child.kill('SIGTERM');
    expect(await server.exited).toEqual({ code: 0, signal: null });
  });
});

describe.skipIf(process.getuid?.() !== 0)('a node whose folder belongs to somebody else', () => {
  it('says so in one message before it listens, and ends with the code of a wrong configuration', TIMEOUT, async () => {
    const cwd = folderWith();
    chmodSync(cwd, 0o755);
    const env = { STORE_URL: 'postgres://root:hidden@127.0.0.1:1/db', CLUSTER_KEY, DATA_DIR: `${cwd}/data` };
    const { code, message, log } = await startInVain(env, { cwd, under: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] });
    expect([code, log]).toEqual([78, []]);
    expect(message).toBe(
      `The store cannot be used:\n  - DATA_DIR ${cwd}/data cannot be written: EACCES: permission denied, mkdir '${cwd}/data'\n`,
    );
  });
});
