import { constants } from 'node:fs';
import { lstat, mkdir, open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { PermanentError } from '../../src/engine/index.ts';

/**
 * Appends lines to files below one folder and nowhere else.
 *
 * A file has one writer at a time: lines that come while it writes wait and are written together, in one write, so they
 * never interleave. It opens the file when there is something to write and closes it when there is not; nothing stays open.
 */
export interface LineWriter {
  /** Resolves when the line is handed to the operating system; it is not forced to the disk. */
  append(file: string, line: string): Promise<void>;
}

interface Queue {
  lines: string[];
  /** Ends with the write that takes the lines above; undefined when they were taken already. */
  written: Promise<void> | undefined;
  /** The write before it. */
  before: Promise<void>;
}

/** The fault in a file name below the folder, or undefined. Links in the folder are checked when the file is written. */
export function fileNameFault(file: string): string | undefined {
  if (file === '' || file.length > 1024) return 'must have 1 to 1024 characters';
  // The direction of a text, turned, shows a name as another one. Joiners stay allowed: names of files in Persian or Hindi have them.
  if (/[\p{Cc}\p{Cs}\p{Bidi_Control}\p{Zl}\p{Zp}\\]/u.test(file)) {
    return 'must have no control character, no line separator and no backslash';
  }
  if (file.startsWith('/') || /^[A-Za-z]:/.test(file)) return 'must be relative to the output folder';
  if (file.split('/').some((part) => part === '' || part === '.' || part === '..')) return 'must not leave the output folder';
  return undefined;
}

export function createLineWriter(folder: string): LineWriter {
  const queues = new Map<string, Queue>();

  return {
    append(file, line) {
      let queue = queues.get(file);
      if (queue === undefined) {
        queue = { lines: [], written: undefined, before: Promise.resolve() };
        queues.set(file, queue);
      }
      queue.lines.push(`${line}\n`);
      queue.written ??= writeNext(file, queue);
      return queue.written;
    },
  };

  function writeNext(file: string, queue: Queue): Promise<void> {
    const written = queue.before.then(async () => {
      const text = queue.lines.join('');
      queue.lines = [];
      queue.written = undefined;
      await appendBelow(folder, file, text).catch((error: unknown) => {
        throw presentable(error, file);
      });
    });
    // A failed write is told to those whose lines it had; the next one starts all the same.
    const settled = written
      .catch(() => undefined)
      .then(() => {
        if (queue.before === settled && queue.written === undefined) queues.delete(file);
      });
    queue.before = settled;
    return written;
  }
}

/**
 * The file could not be written. Its text stands in results and events: it names the file as the definition or the item does, and not the
 * folder that it is in. That is in `forLog`; a `cause` would be shown.
 */
export class FileNotWrittenError extends Error {
  override name = 'FileNotWritten';
  readonly code: string;
  readonly forLog: string;
  constructor(file: string, code: string, cause: Error) {
    super(`the file "${file}" cannot be written: ${WORDS.get(code) ?? 'the system refuses it'} (${code})`);
    this.code = code;
    this.forLog = cause.message;
  }
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ['EACCES', 'it is not ours to write'],
  ['EDQUOT', 'the quota is used up'],
  ['EISDIR', 'it is a folder'],
  ['ELOOP', 'it is a link'],
  ['EMFILE', 'too many files are open'],
  ['ENAMETOOLONG', 'its name is too long'],
  ['ENOSPC', 'the disk is full'],
  ['ENOTDIR', 'what should be a folder is a file'],
  ['EPERM', 'it is not ours to write'],
  ['EROFS', 'the disk is read-only'],
]);

function presentable(error: unknown, file: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return error instanceof Error && code !== undefined && syscall !== undefined ? new FileNotWrittenError(file, code, error) : error;
}

/** Modes for new files and folders: only the owner may read items. Existing ones keep their mode. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

async function appendBelow(folder: string, file: string, text: string): Promise<void> {
  const path = await resolveBelow(folder, file);
  // NOFOLLOW: a link that was put there after the check is not followed. NONBLOCK: a named pipe without a reader does not hold us.
  const handle = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, FILE_MODE);
  try {
    if (!(await handle.stat()).isFile()) throw refused(file, 'it is not a regular file');
    await handle.appendFile(text);
  } finally {
    await handle.close();
  }
}

/** The real path of a file, every folder on the way created and found to be inside. Throws {@link PermanentError} when it is not. */
async function resolveBelow(folder: string, file: string): Promise<string> {
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  const root = await realpath(folder);
  const parts = file.split('/');
  const name = parts.pop() as string;
  let place = root;
  // One folder after the other: creating them all at once would follow a link before anyone looked where it leads.
  for (const part of parts) {
    await mkdir(join(place, part), FOLDER_MODE).catch(ignore('EEXIST'));
    place = await realpath(join(place, part)).catch(() => join(place, part));
    if (!isBelow(root, place)) throw refused(file, 'it leads outside the output folder');
  }
  const path = join(place, name);
  const link = await lstat(path).catch(ignore('ENOENT'));
  if (link === undefined || !link.isSymbolicLink()) return path;
  const target = await realpath(path).catch(() => undefined);
  if (target === undefined || !isBelow(root, target)) throw refused(file, 'it is a link that leads outside the output folder');
  return target;
}

function isBelow(root: string, path: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function ignore(code: string): (error: NodeJS.ErrnoException) => undefined {
  return (error) => {
    if (error.code !== code) throw error;
  };
}

function refused(file: string, why: string): PermanentError {
  return new PermanentError(`the file "${file}" is refused: ${why}`);
}
