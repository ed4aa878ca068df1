/**
 * What a service writes, when it syncs, and what it tells its clients meanwhile, in one order. strace sees it; docs/adr/0032 says why not
 * something else. It stops each call before and after it, so an answer that waits for a sync is seen after the sync, in whichever threads they are.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Step } from './disk.ts';
import { type Call, callsOf } from './trace.ts';

/** What the service has sent to somebody. */
export interface Sent {
  is: 'sent';
  text: string;
}

export type Moment = Step | Sent;

/** Not every machine has all of them. */
const CALLS = [
  ...['openat', 'mkdir', 'mkdirat', 'unlink', 'unlinkat', 'rename', 'renameat', 'renameat2', 'link', 'linkat', 'symlink', 'symlinkat'],
  ...['write', 'pwrite64', 'writev', 'pwritev', 'pwritev2', 'ftruncate', 'truncate', 'fallocate', 'copy_file_range', 'sendfile'],
  ...['fsync', 'fdatasync', 'sync_file_range', 'msync', 'sync', 'syncfs', 'sendto', 'sendmsg', 'io_uring_enter'],
];
/** Longer than anything that is written in one call. */
const TEXT_MAX = 4 * 1024 * 1024;

/** Whether the tests can record here. */
export const canRecord = spawnSync('strace', ['-qq', '-e', 'trace=none', 'true']).status === 0;

/** The command before that of a process, whose calls go to a file. It is not in the way of signals (`-D`), and stops nothing but these calls. */
export function recordInto(file: string): string[] {
  return [
    'strace',
    '-D',
    '-f',
    '--seccomp-bpf',
    '-y',
    '-qq',
    '-s',
    String(TEXT_MAX),
    '-e',
    `trace=${CALLS.map((name) => `?${name}`)}`,
    '-e',
    'signal=none',
    '-o',
    file,
  ];
}

/** What was recorded of processes that lived one after the other. `folder`: what is outside of it is not looked at. */
export function readRecords(files: readonly string[], folder: string): Moment[] {
  const moments: Moment[] = [];
  let steps = 0;
  for (const file of files) {
    const calls = callsOf(readFileSync(file, 'latin1'));
    const found: { at: number; moment: Moment }[] = [];
    /** For each call, the number of steps before it. */
    const before: number[] = [];
    for (const [i, call] of calls.entries()) {
      before.push(steps);
      for (const moment of momentsOf(call, folder)) {
        // A promise counts from the moment in which it is about to be sent.
        if (moment.is === 'sent') found.push({ at: call.began - 0.5, moment });
        else found.push({ at: i, moment: moment.is === 'sync' ? { ...moment, began: before[call.began] as number } : moment });
        if (moment.is !== 'sent') steps++;
      }
    }
    moments.push(...found.sort((a, b) => a.at - b.at).map(({ moment }) => moment));
  }
  return moments;
}

const TO_SOCKET = /^\d+<(?:socket|TCP|TCPv6|UNIX)/;
const OF_FILE = /^\d+<(\/[^>]*)>/;

function momentsOf({ name, texts, args, result }: Call, folder: string): Moment[] {
  if (result < 0) return [];
  if (TO_SOCKET.test(args)) return [{ is: 'sent', text: Buffer.concat(texts).toString() }];
  const isWithin = (path: string | undefined): boolean => path?.startsWith(`${folder}/`) === true;
  const [path = '', to = ''] = texts.map((text) => text.toString());
  const [, file = ''] = OF_FILE.exec(args) ?? [];
  if (!isWithin(file) && !isWithin(path) && !isWithin(to) && file !== folder) return [];
  switch (name) {
    case 'openat': {
      const made: Moment[] = /O_CREAT/.test(args) ? [{ is: 'file', path }] : [];
      return /O_TRUNC/.test(args) ? [...made, { is: 'cutting', path, size: 0 }] : made;
    }
    case 'mkdir':
    case 'mkdirat':
      return [{ is: 'folder', path }];
    case 'unlink':
    case 'unlinkat':
      return [{ is: 'removal', path }];
    case 'rename':
    case 'renameat':
    case 'renameat2':
      return [{ is: 'renaming', from: path, to }];
    case 'pwrite64':
      return [{ is: 'writing', path: file, at: lastNumberOf(args), bytes: (texts[0] as Buffer).subarray(0, result) }];
    case 'ftruncate':
      return [{ is: 'cutting', path: file, size: lastNumberOf(args) }];
    case 'fsync':
    case 'fdatasync':
      return [{ is: 'sync', path: file, began: 0 }];
    default:
      throw new Error(`the disk of this test knows no ${name}(${args})`);
  }
}

const lastNumberOf = (args: string): number => Number(args.slice(args.lastIndexOf(' ')));
