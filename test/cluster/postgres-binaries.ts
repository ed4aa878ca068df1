/** A PostgreSQL that a test starts itself, in a folder of its own, and may stop, freeze and kill. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { Client } from 'pg';

const DEBIAN = '/usr/lib/postgresql';

/** The folder of `initdb` and `postgres`: on the PATH, or where Debian puts them; undefined without any. */
export function postgresBinaries(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin')) : [];
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...versions.toReversed()];
  return folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
}

/** PostgreSQL refuses to run as root. */
function ownerOfServer(): { uid: number; gid: number } | undefined {
  if (userInfo().uid !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8').split('\n');
  const fields = ['postgres:', 'nobody:'].map((name) => users.find((line) => line.startsWith(name))).find((line) => line !== undefined);
  const [, , uid, gid] = fields?.split(':') ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

export interface OwnPostgres {
  readonly url: string;
  readonly port: number;
  start(): Promise<void>;
  /** Ends it as an operator does (`-m fast`). */
  stop(): Promise<void>;
  /** Kills all of its processes at once. */
  kill(): Promise<void>;
  /** Stops all of its processes where they are. */
  freeze(): void;
  thaw(): void;
  /** Keeps what it has on disk at this instant, as a standby does that falls behind from then on. All of its processes stand still meanwhile. */
  copy(): void;
  /** All of its processes die, its data is gone, and the last copy takes its place, as at a failover to that standby. It has to recover as after a crash. */
  failOver(): Promise<void>;
  run(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  dispose(): Promise<void>;
}

/** `under`: the folder that gets its own; not that of the tests, through which another user may not go. */
export async function startOwnPostgres(
  settings: Readonly<Record<string, string>> = {},
  under: string = existsSync('/dev/shm') ? '/dev/shm' : '/tmp',
): Promise<OwnPostgres> {
  const binaries = postgresBinaries();
  if (binaries === undefined) throw new Error('There is no initdb');
  const owner = ownerOfServer();
  const folder = mkdtempSync(join(under, 'sluice-postgres-'));
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, 'data');
  const standby = join(folder, 'standby');
  const options = { ...owner, cwd: folder, env: { PATH: process.env.PATH, LC_ALL: 'C' } };
  execFileSync(join(binaries, 'initdb'), ['-D', data, '-U', 'sluice', '-A', 'trust', '--no-sync', '-E', 'UTF8'], {
    ...options,
    stdio: 'ignore',
  });
  const port = await freePort();
  const url = `postgres://sluice@127.0.0.1:${port}/postgres`;
  const given = Object.entries({ listen_addresses: '127.0.0.1', unix_socket_directories: folder, max_connections: '30', ...settings });
  let child: ChildProcess | undefined;

  const processes = (): number[] => {
    const pid = child?.pid;
    if (pid === undefined) return [];
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return [pid, ...(children === '' ? [] : children.split(' ').map(Number))];
  };
  const signalAll = (signal: NodeJS.Signals): void => {
    for (const pid of processes()) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  };
  const ended = async (act: () => void): Promise<void> => {
    const running = child;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const exit = once(running, 'exit');
    act();
    await exit;
  };
  const start = async (): Promise<void> => {
    const args = ['-D', data, '-p', String(port), ...given.flatMap(([name, value]) => ['-c', `${name}=${value}`])];
    child = spawn(join(binaries, 'postgres'), args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] });
    const running = child;
    const ready = Promise.withResolvers<void>();
    let said = '';
    running.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('ready to accept connections')) ready.resolve();
    });
    running.once('exit', () => ready.reject(new Error(`PostgreSQL did not start: ${said}`)));
    await ready.promise;
  };

  const kill = (): Promise<void> => ended(() => signalAll('SIGKILL'));

  await start();
  return {
    url,
    port,
    start,
    stop: () => ended(() => void child?.kill('SIGINT')),
    kill,
    copy: () => {
      rmSync(standby, { recursive: true, force: true });
      signalAll('SIGSTOP');
      try {
        cpSync(data, standby, { recursive: true, preserveTimestamps: true });
      } finally {
        signalAll('SIGCONT');
      }
      rmSync(join(standby, 'postmaster.pid'));
      if (owner !== undefined) execFileSync('chown', ['-R', `${owner.uid}:${owner.gid}`, standby]);
      chmodSync(standby, 0o700);
    },
    failOver: async () => {
      if (!existsSync(standby)) throw new Error('There is no copy to fail over to');
      await kill();
      rmSync(data, { recursive: true });
      renameSync(standby, data);
      await start();
    },
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    run: (text, values) => runOnce(url, text, values),
    dispose: async () => {
      signalAll('SIGCONT');
      await ended(() => signalAll('SIGKILL'));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Runs a statement on a connection of its own. */
export async function runOnce(url: string, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text, values)).rows;
  } finally {
    await client.end();
  }
}
