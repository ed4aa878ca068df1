/** `npm run deps` on folders of a few files: the order of the rooms holds, and what the check says of one that goes up. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOMS, UPWARD } from '../scripts/rooms.ts';

const root = join(import.meta.dirname, '..');
const run = promisify(execFile);
let folder: string;

/** Writes a file that imports others, by their paths in the project. */
async function write(path: string, imports: readonly string[] = []): Promise<void> {
  const up = '../'.repeat(path.split('/').length - 1);
  const lines = imports.map((other, i) => `import type { Name as N${i} } from '${up}${other}';\nexport type E${i} = N${i};`);
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), ['export interface Name {}', ...lines, ''].join('\n'));
}

async function deps(): Promise<{ failed: boolean; output: string }> {
  return run(process.execPath, [join(root, 'scripts/dependency-rules.ts')], { cwd: folder }).then(
    ({ stdout, stderr }) => ({ failed: false, output: stdout + stderr }),
    ({ stdout, stderr }) => ({ failed: true, output: `${stdout}${stderr}` }),
  );
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-rooms-'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const { from, to } of UPWARD) {
    const [a, b] = [from, to].map((path) => (path.endsWith('/') ? `${path}excepted.ts` : path)) as [string, string];
    await write(b);
    await write(
      a,
      UPWARD.filter((one) => one.from === from).map((one) => (one.to.endsWith('/') ? `${one.to}excepted.ts` : one.to)),
    );
  }
});
afterEach(() => rm(folder, { recursive: true }));

describe('the check of the rooms', () => {
  it('passes imports that go down, and prints the rooms with them', async () => {
    await write('src/engine/queues/a.ts');
    await write('src/engine/flow/a.ts', ['src/engine/queues/a.ts']);
    await write('src/engine/flow/b.ts', ['src/engine/queues/a.ts', 'src/engine/flow/a.ts']);
    const { failed, output } = await deps();
    expect(output).toMatch(/^ {2}flow +.*queues 2$/m);
    expect(failed, output).toBe(false);
  });

  it('refuses each import of a room by the one below it, of types too', async () => {
    const rooms = Object.entries(ROOMS).map(([inside, names]) =>
      names.map((name) => (name.endsWith('.ts') ? `${inside}/${name}` : `${inside}/${name}/room.ts`)),
    );
    const ups: string[] = [];
    for (const files of rooms) {
      await write(files[0] as string);
      for (const [i, to] of files.slice(0, -1).entries()) {
        const from = files[i + 1] as string;
        await write(from, [to]);
        if (!UPWARD.some((one) => from.startsWith(one.from) && to.startsWith(one.to))) ups.push(`${from} → ${to}`);
      }
    }
    const { failed, output } = await deps();
    expect(failed).toBe(true);
    expect([...output.matchAll(/upwards: (.*)/g)].map(([, up]) => up).sort()).toEqual(ups.sort());
  });

  it('refuses a file in a room of no name', async () => {
    await write('src/http/helpers/a.ts');
    const { failed, output } = await deps();
    expect([failed, output]).toEqual([true, expect.stringContaining('src/http/helpers/a.ts is in none of the rooms')]);
  });
});
