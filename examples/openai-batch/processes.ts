import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface Process {
  url: string;
  stop(): void;
}

/** Where the API is, and the key for it. */
export interface Api {
  /** With the version: `https://api.openai.com/v1`. */
  baseUrl: string;
  key: string;
}

/** Sluice with the pipeline of this example. Its files, and what it keeps of a job that has not ended, are in the folder `output`. */
export function startService({ baseUrl, key }: Api, output: string, isStandIn: boolean): Promise<Process> {
  return start('src/server.ts', 'listening', {
    PORT: '0',
    PIPELINES: 'examples/openai-batch/openai-batch.yaml',
    OUTPUT_DIR: output,
    STORE_URL: 'memory:',
    LOG_LEVEL: 'info',
    SECRET_OPENAI_BASE_URL: baseUrl,
    SECRET_OPENAI_API_KEY: key,
    ...(isStandIn && { HTTP_ALLOW_HOSTS: '127.0.0.0/8' }),
  });
}

export function startStandIn(key: string): Promise<Process> {
  return start('examples/openai-batch/stand-in.ts', undefined, { STAND_IN_KEY: key });
}

/** Starts a process that prints lines of JSON, and waits for the one with its `url`; that of a log has the `msg`. */
async function start(file: string, msg: string | undefined, env: Record<string, string>): Promise<Process> {
  const child = spawn(process.execPath, [file], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const record = JSON.parse(line) as { msg?: string; url?: string };
    if (record.msg !== msg || record.url === undefined) continue;
    child.stdout.resume();
    return { url: record.url, stop: () => void child.kill('SIGTERM') };
  }
  throw new Error(`${file} did not start`);
}
