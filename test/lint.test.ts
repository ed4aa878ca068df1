import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const run = promisify(execFile);
let folder: string;

/** What the linter says of these files, with the configuration of this project. */
async function lint(files: Record<string, string>): Promise<{ failed: boolean; output: string }> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  const { bin } = JSON.parse(await readFile(join(root, 'node_modules/@biomejs/biome/package.json'), 'utf8'));
  const biome = join(root, 'node_modules/@biomejs/biome', bin.biome);
  const args = [biome, 'lint', '--max-diagnostics=none', ...Object.keys(files)];
  return run(process.execPath, args, { cwd: folder }).then(
    ({ stdout, stderr }) => ({ failed: false, output: stdout + stderr }),
    ({ stdout, stderr }) => ({ failed: true, output: `${stdout}${stderr}` }),
  );
}

const using = (...lines: string[]): string =>
  ["import type { EventEmitter } from 'node:events';", 'export function use(stream: EventEmitter): void {', ...lines, '}', ''].join('\n');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-lint-'));
  await cp(join(root, 'scripts/lint'), join(folder, 'scripts/lint'), { recursive: true });
  // Outside of the repository there is no file of what is ignored.
  const { vcs: _, $schema: __, ...config } = JSON.parse(await readFile(join(root, 'biome.json'), 'utf8'));
  await writeFile(join(folder, 'biome.json'), JSON.stringify(config));
});
afterAll(() => rm(folder, { recursive: true }));

describe("emitting 'error' on a stream", () => {
  it.each(['src/http/a.ts', 'routes/a.ts', 'tasks/kit/a.ts'])('is refused in %s, however it is written', async (file) => {
    const ways = [
      "stream.emit('error', new Error('late'));",
      'stream.emit("error");',
      'stream.emit(`error`);',
      "stream?.emit('error');",
      "stream['emit']('error');",
      "stream.emit.call(stream, 'error');",
      "stream.emit.apply(stream, ['error']);",
    ];
    const { failed, output } = await lint({ [file]: using(...ways) });
    expect(failed).toBe(true);
    expect(output.match(/Nobody emits 'error' on a stream/g)).toHaveLength(ways.length);
  });

  it('is for tests to do, and other events are for everyone', async () => {
    const { failed, output } = await lint({
      'test/a.ts': using("stream.emit('error');"),
      'src/b.ts': using("stream.emit('errors', 'error');", "stream.on('error', () => undefined);"),
    });
    expect([failed, output.includes('Nobody emits')]).toEqual([false, false]);
  });
});
