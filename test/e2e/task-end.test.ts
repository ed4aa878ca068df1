import { describe, expect, it } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { type Exit, type ServerProcess, startServer } from './server.ts';

const TIMEOUT = { timeout: 60_000 };

const ENDING = `
const later = () => new Promise((resolve) => setTimeout(resolve, 1));
const ways = {
  exit() { process.exit(0); },
  async 'exit after an await'() { await later(); process.exit(0); },
  'exit in a timer'() { setTimeout(() => process.exit(0), 1); return new Promise(() => {}); },
  'exit with 7'() { process.exit(7); },
  'set the exit code and exit'() { process.exitCode = 0; process.exit(); },
  'really exit'() { process.reallyExit(0); },
  kill() { process.kill(process.pid, 'SIGKILL'); },
  abort() { process.abort(); },
  throw() { setTimeout(() => { throw new RangeError('late'); }, 1); return new Promise(() => {}); },
  'throw nothing'() { setImmediate(() => { throw undefined; }); return new Promise(() => {}); },
  reject() { Promise.reject(new RangeError('left')); return 'done'; },
};
export default { run: (value) => ways[value.how]() };
`;

async function start(): Promise<ServerProcess> {
  const cwd = folderWith({
    'tasks/ending.mjs': ENDING,
    'pipelines/p.json': JSON.stringify({ id: 'p', stages: [{ name: 'S', tasks: ['ending'] }] }),
  });
  return startServer({ TASKS_DIR: './tasks' }, { cwd });
}

const WHO = { pipeline: 'p', stage: 'S', task: 'ending', item: 'order-1', sequenceId: 1 };
const code = (number: number): Exit => ({ code: number, signal: null });
const signal = (name: NodeJS.Signals): Exit => ({ code: null, signal: name });

const ENDS: [string, string, Exit][] = [
  ['exit', 'process.exit was called', code(1)],
  ['exit after an await', 'process.exit was called', code(1)],
  ['exit in a timer', 'process.exit was called', code(1)],
  ['exit with 7', 'process.exit was called', code(7)],
  ['set the exit code and exit', 'process.exit was called', code(1)],
  ['really exit', 'process.reallyExit was called', code(1)],
  ['kill', 'process.kill was called on this process', signal('SIGKILL')],
  ['abort', 'process.abort was called', signal('SIGABRT')],
  ['throw', 'uncaught exception', code(1)],
  ['throw nothing', 'uncaught exception', code(1)],
];

describe('a task that ends the service', () => {
  it.each(ENDS)('by "%s" leaves a line that names it, and never the code of an end in order', TIMEOUT, async (how, message, exit) => {
    const server = await start();
    server.post('/pipelines/p/feed', { items: [{ id: 'order-1', how }] }).catch(() => undefined);
    expect(await server.exited).toEqual(exit);
    const last = server.log.at(-1);
    expect(last).toMatchObject({ level: 60, msg: message, ...WHO });
    const stack = String((last?.err as { stack?: string } | undefined)?.stack ?? last?.stack);
    if (how !== 'throw nothing') expect(stack).toContain('ending.mjs');
    expect(server.log.filter(({ level }) => level === 60)).toHaveLength(1);
  });

  it('is none that leaves a rejected promise behind: a line names its item, and all goes on', TIMEOUT, async () => {
    const server = await start();
    const { body } = await server.post('/pipelines/p/run', { items: [{ id: 'order-1', how: 'reject' }] });
    expect(body.results).toMatchObject([{ id: 'order-1', value: 'done', error: null }]);
    expect(await server.logged('a promise was rejected and nobody waited for it')).toMatchObject({ level: 50, ...WHO });
    server.signal('SIGTERM');
    expect(await server.exited).toEqual(code(0));
  });
});
