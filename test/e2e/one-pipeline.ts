import { folderWith } from '../loader/folder.ts';
import { GATE_TASK } from './gate.ts';
import { type ServerProcess, startServer } from './server.ts';

/** A task that makes of each value a constant. */
export const PASS = { task: 'jsonata', with: { expression: '"ok"' } };

interface Setting {
  stage?: Record<string, unknown>;
  pipeline?: Record<string, unknown>;
  tasks?: Record<string, string>;
  env?: Record<string, string>;
}

/** A server in an empty folder, with one pipeline `p` of one stage `S`, and these task files. */
export async function serverWith({ stage = {}, pipeline = {}, tasks = {}, env = {} }: Setting = {}): Promise<ServerProcess> {
  const definition = { id: 'p', stages: [{ name: 'S', tasks: [PASS], ...stage }], ...pipeline };
  const files = Object.fromEntries(Object.entries(tasks).map(([name, text]) => [`tasks/${name}`, text]));
  const cwd = folderWith({ 'pipelines/p.json': JSON.stringify(definition), ...files });
  return startServer({ ...(Object.keys(tasks).length > 0 ? { TASKS_DIR: './tasks' } : {}), ...env }, { cwd });
}

/** The same, whose items stand before a gate. */
export const withGate = (settings: Setting = {}): Promise<ServerProcess> =>
  serverWith({ ...settings, stage: { tasks: ['gate'], workers: 2, ...settings.stage }, tasks: { 'gate.mjs': GATE_TASK } });
