/**
 * Folders of the tests are in memory where the machine has the room: no test asks for more than that a file outlives a process, and the disk
 * is what the stores would wait for. They are gone when the run is over, those too that a killed test has left.
 */
import { existsSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const IN_MEMORY = '/dev/shm';
/** Large results and a full backlog want a good part of it; a container has 64 MiB by default. */
const WANTED_BYTES = 4 * 1024 ** 3;

function hasRoom(folder: string): boolean {
  if (!existsSync(folder)) return false;
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize >= WANTED_BYTES;
}

const PREFIX = 'sluice-tests-';
const given = process.env.TMPDIR;
let folder: string | undefined;

/** Once for all projects of a run. */
export function setup(): void {
  if (basename(tmpdir()).startsWith(PREFIX)) return;
  folder = mkdtempSync(join(given === undefined && hasRoom(IN_MEMORY) ? IN_MEMORY : tmpdir(), PREFIX));
  process.env.TMPDIR = folder;
}

export function teardown(): void {
  if (folder === undefined) return;
  rmSync(folder, { recursive: true, force: true });
  if (given === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = given;
}
