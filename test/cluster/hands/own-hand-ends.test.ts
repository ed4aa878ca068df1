/** A hand that a service has started ends with it, at whatever moment of its own start that is: in order, with code 0, and without a word of an exit that nobody meant. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { folderWith } from '../../loader/folder.ts';

const ENTRY = fileURLToPath(new URL('../../../src/server.ts', import.meta.url));
const ECHO = 'export default { run: (value) => value };';
/** Closes the channel in the turn after the hand has begun to listen for something. */
const closedAt = (event: string): string =>
  `const listens = (name) => { if (name !== '${event}') return; process.off('newListener', listens); process.nextTick(() => process.disconnect()); };
  process.on('newListener', listens);
  ${ECHO}`;

interface Start {
  /** A file of TASKS_DIR, which may close the channel. */
  task: string;
  /** As the process that has started it. */
  atOnce?: boolean;
}

const STARTS: [string, Start][] = [
  ['before it is told where to connect', { task: ECHO, atOnce: true }],
  ['while its tasks are loaded', { task: `process.disconnect();\n${ECHO}` }],
  ['while the thread starts that watches it', { task: closedAt('exit') }],
  [
    'while it connects',
    {
      task: `setImmediate(function look() { if (process.listenerCount('message') > 0) process.disconnect(); else setImmediate(look); });\n${ECHO}`,
    },
  ],
];

it.each(STARTS)('%s', async (_, { task, atOnce = false }) => {
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env;
  const hand = fork(ENTRY, [], {
    env: {
      ...{ PATH, HOME, NODE_COMPILE_CACHE, NODE_OPTIONS: '--disable-warning=ExperimentalWarning' },
      ...{ ROLE: 'hand', OWNER_URL: 'http://127.0.0.1:9', HAND_NAME: 'h', TASKS_DIR: folderWith({ 'echo.mjs': task }) },
    },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  onTestFinished(() => void hand.kill('SIGKILL'));
  const printed = { stdout: '', stderr: '' };
  // `close` does not come once the channel is closed from this side.
  const ends: Promise<unknown[]>[] = [once(hand, 'exit')];
  for (const name of ['stdout', 'stderr'] as const) {
    const stream = hand[name] as Readable;
    ends.push(once(stream, 'end'));
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed[name] += text;
    });
  }
  if (atOnce) hand.disconnect();
  else hand.send({ urls: ['http://127.0.0.1:9'], key: undefined }, () => undefined);
  const [ended] = await Promise.all(ends);
  expect([ended, printed.stderr]).toEqual([[0, null], '']);
  const records = printed.stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { level: number });
  expect(records.filter(({ level }) => level >= 50)).toEqual([]);
});
