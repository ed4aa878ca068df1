/**
 * Runs the README: every `sh` block, in order, in one shell, in a copy of the project as a fresh clone has it.
 *
 * - A block after `<!-- not run: … -->` is left out; the comment says why.
 * - A `text` block right after a `sh` block is what comes out: each of its lines must be a line of the output, where `…`
 *   stands for anything. What runs in the background may print it a little later. After `text numbers vary` any number
 *   will do where the README shows one.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { patternOf } from './shown-output.ts';

const README = readFileSync('README.md', 'utf8');
const NOT_IN_A_CLONE = new Set(['.git', 'node_modules', 'dist', 'data', 'coverage', 'test-results']);
/** The first block builds and starts the service; two tests may share the machine with others. */
const BLOCK_TIMEOUT_MS = 90_000;

interface Block {
  heading: string;
  commands: string;
  output: { lines: string[]; numbersVary: boolean } | undefined;
}

function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  const fence = /^## (?<heading>[^\n]+)$|(?<notRun><!-- not run: [^\n]+ -->\n\n)?^```(?<info>[^\n]*)\n(?<body>.*?)^```$/gms;
  let heading = '';
  let endOfLast = -1;
  for (const match of text.matchAll(fence)) {
    const { notRun, info = '', body = '' } = match.groups as Record<string, string | undefined>;
    if (match.groups?.heading !== undefined) heading = match.groups.heading;
    else if (info === 'sh' && notRun === undefined) blocks.push({ heading, commands: body, output: undefined });
    else if (info.startsWith('text') && endOfLast !== -1 && text.slice(endOfLast, match.index).trim() === '') {
      (blocks.at(-1) as Block).output = { lines: body.trimEnd().split('\n'), numbersVary: info === 'text numbers vary' };
    }
    endOfLast = info === 'sh' && notRun === undefined ? match.index + match[0].length : -1;
  }
  return blocks;
}

/** One shell for all blocks, as the reader's. */
class Shell {
  private readonly child: ChildProcessWithoutNullStreams;
  private output = '';
  private onOutput: () => void = () => undefined;
  private blocks = 0;

  constructor(cwd: string) {
    // The reader's PATH, without what the test runner has put before it.
    const path = (process.env.PATH ?? '').split(delimiter).filter((folder) => !folder.includes('node_modules'));
    this.child = spawn('bash', ['--noprofile', '--norc'], {
      cwd,
      env: { PATH: path.join(delimiter), HOME: process.env.HOME ?? cwd },
      detached: true,
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
        this.onOutput();
      });
    }
    // Any command that fails is named, also one that is not the last of its block.
    this.child.stdin.write(`trap 'echo "FAILED: $BASH_COMMAND"' ERR\n`);
  }

  /** Runs a block; resolves when its commands have ended and every line of `expected` has come out. */
  async run(commands: string, expected: RegExp[]): Promise<void> {
    const from = this.output.length;
    const marker = `END OF BLOCK ${++this.blocks}`;
    this.child.stdin.write(`${commands}\necho "${marker}"\n`);
    const lines = (): string[] => this.output.slice(from).split('\n');
    const missing = (): RegExp[] => expected.filter((pattern) => !lines().some((line) => pattern.test(line)));
    const failure = (): string | undefined => lines().find((line) => line.startsWith('FAILED: '));
    const ended = new Promise<void>((done, reject) => {
      const deadline = setTimeout(() => {
        reject(new Error(`never came out: ${missing().join('\n')}\nbut this: ${this.output.slice(from)}`));
      }, BLOCK_TIMEOUT_MS - 5000);
      this.onOutput = () => {
        if (!lines().includes(marker)) return;
        if (failure() === undefined && missing().length > 0) return;
        clearTimeout(deadline);
        done();
      };
    });
    await ended;
    expect(failure(), this.output.slice(from)).toBeUndefined();
  }

  /** Ends the shell with all that it has started. */
  async kill(): Promise<void> {
    const closed = once(this.child, 'close');
    process.kill(-(this.child.pid as number), 'SIGKILL');
    await closed;
  }
}

/** Below those that the system gives to whoever asks for any: it is still free when the service of the README asks for it. */
async function freePort(): Promise<number> {
  for (let port = 10_000 + (process.pid % 10_000); ; port++) {
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) =>
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)),
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

describe('the README', () => {
  const blocks = blocksOf(README);
  let shell: Shell;
  let clone: string;
  let port: number;

  beforeAll(async () => {
    clone = mkdtempSync(join(tmpdir(), 'sluice-readme-'));
    cpSync('.', clone, { recursive: true, filter: (path) => !NOT_IN_A_CLONE.has(path) });
    symlinkSync(resolve('node_modules'), join(clone, 'node_modules'));
    port = await freePort();
    shell = new Shell(clone);
  });

  afterAll(async () => {
    await shell.kill();
    rmSync(clone, { recursive: true, force: true });
  });

  it('has blocks to run, and leaves out no other than the installation and what needs Docker', () => {
    expect(blocks.length).toBeGreaterThan(12);
    const all = [...README.matchAll(/^```sh$/gm)];
    expect(all).toHaveLength(blocks.length + 2);
    expect(README.match(/<!-- not run: [^\n]+ -->\n\n```sh\n.*?```/gs)?.[1]).toMatch(/docker compose up --build/);
    expect(README).toMatch(/<!-- not run: [^\n]+ -->\n\n```sh\nnpm ci\n```/);
  });

  it.each(blocks.map((block, i) => ({ ...block, title: `${i + 1}: ${block.heading}: ${block.commands.split('\n')[0]}` })))(
    'block $title',
    { timeout: BLOCK_TIMEOUT_MS },
    async ({ commands, output }) => {
      const lines = output?.lines.map((line) => line.replace('//127.0.0.1:3000/', `//127.0.0.1:${port}/`)) ?? [];
      const expected = lines.map((line) => patternOf(line, output?.numbersVary));
      await shell.run(commands.replace('PORT=3000', `PORT=${port}`), expected);
    },
  );

  it('shows the definition that a fresh start loads', () => {
    const [, shown] = /```yaml\n(.*?)```/s.exec(README) ?? [];
    expect(parse(String(shown))).toEqual(parse(readFileSync('pipelines/orders.yaml', 'utf8')));
  });

  it('lists the routes that exist and no others', () => {
    const { paths } = JSON.parse(readFileSync('openapi/openapi.json', 'utf8')) as { paths: Record<string, Record<string, unknown>> };
    const existing = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
    );
    expect(routesIn(README).sort()).toEqual(existing.sort());
  });
});

/** The first column of the table of routes. A cell that begins with a path goes on with the method and the base of the one before it. */
function routesIn(text: string): string[] {
  const rows = [...text.matchAll(/^\| (`(?:GET|POST|PUT|PATCH|DELETE) \/.*?) \|/gm)];
  return rows.flatMap((row) => {
    let before = '';
    return [...String(row[1]).matchAll(/`([^`]+)`/g)].map(([, cell = '']) => {
      const route = cell.startsWith('/') ? before.replace(/\/[^/]+$/, cell) : cell;
      before ||= route;
      return route;
    });
  });
}
