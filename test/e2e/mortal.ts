/** The service as a process with a store in a file, which is killed and started again on the same port. */
import { onTestFinished } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { type ServerProcess, startServer } from './server.ts';

/** As a file has it. */
export interface Definition {
  id: string;
  [field: string]: unknown;
}

export interface Mortal {
  readonly url: string;
  /** The life that it has now. */
  readonly server: ServerProcess;
  /** Ends it with `SIGKILL`, and resolves when the next life is ready. */
  killAndRestart(): Promise<void>;
}

/** Starts it with definitions and, by their names, files with tasks. It is stopped, and asserted to end well, when the test is over. */
export async function mortal(definitions: readonly Definition[], tasks: Record<string, string> = {}): Promise<Mortal> {
  const taskFiles = Object.entries(tasks).map(([name, text]) => [`tasks/${name}`, text]);
  const pipelineFiles = definitions.map((definition) => [`pipelines/${definition.id}.json`, JSON.stringify(definition)]);
  const cwd = folderWith(Object.fromEntries([...taskFiles, ...pipelineFiles]));
  const common = { STORE_URL: 'file:./data/s.db', EVENTS_KEPT: '50000', ...(taskFiles.length > 0 && { TASKS_DIR: './tasks' }) };
  const start = (env: Record<string, string> = {}) => startServer({ ...common, ...env }, { cwd });
  let server = await start();
  const { url, port } = server;
  onTestFinished(async () => void (await server.stop()));
  return {
    url,
    get server() {
      return server;
    },
    async killAndRestart() {
      server.signal('SIGKILL');
      await server.exited;
      server = await start({ PORT: String(port) });
    },
  };
}
