/** Texts of others on their way out: tables for spreadsheets, lines for a terminal, names for a shell. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it, onTestFinished } from 'vitest';
import { csvCell, withDigits } from '../../src/client/csv.ts';
import { table } from '../../src/terminal/format.ts';
import { createFrame } from '../../src/terminal/frame.ts';
import { escaped, shown } from '../../src/terminal/paint.ts';
import { resultWriter } from '../../src/terminal/result-writer.ts';
import { cut, widthOf } from '../../src/terminal/width.ts';
import { folderWith } from '../loader/folder.ts';
import { sluice } from './sluice-process.ts';
import { describeTerminal, onTerminal } from './terminal-of-python.ts';

/** A service that answers everything with one document. */
async function answering(document: unknown): Promise<Record<string, string>> {
  const body = typeof document === 'string' ? document : JSON.stringify(document);
  const type = typeof document === 'string' ? 'application/x-ndjson' : 'application/json';
  const server = createServer((_, response) => response.setHeader('content-type', type).end(body));
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { SLUICE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, TERM: 'xterm', LANG: 'C.UTF-8' };
}

describe('a cell', () => {
  it.each(["-2+3+cmd|' /C calc'!A0", '=1', '+1', '@SUM(A1)', '\t=1', '\n=1', '-', '-1-1', '-1e', '-1.', '--1', '-1\n=2', '＝1'])(
    'of %j is no formula',
    (text) => {
      expect(csvCell(text).replace(/^"/, '')).toMatch(/^'/);
    },
  );

  it.each(['-5', '-0.25', '-1e-7', '-1E+21', 'a=1', '5', ''])('of %j stays as it is', (text) => {
    expect(csvCell(text)).toBe(text);
  });

  it('of a number stays one', () => {
    expect([-1e-7, -1e21, -5.5].map(csvCell)).toEqual(['-1e-7', '-1e+21', '-5.5']);
  });
});

describe('a table of results', () => {
  async function tableOf(...values: string[]): Promise<string[]> {
    const lines: string[] = [];
    const writer = resultWriter('csv', { printData: async (line) => void lines.push(line) });
    for (const [i, value] of values.entries()) {
      const text = `{"id":"i${i}","sequenceId":${i},"feedId":"f","error":null,"value":${value}}`;
      await writer.write({ text, value: JSON.parse(text) });
      // The head comes with the first value, and each row at once.
      expect(lines).toHaveLength(i + 2);
    }
    return lines.map((line) => line.replace(/^i\d,\d,f,,,/, ''));
  }

  it('has what came too late for a column in the last one', async () => {
    const lines = await tableOf('{"a":1,"rest":2}', '{"b":["x"],"a":3}', '"-1"', '[null]', 'null', '{}', '{"a":null,"__proto__":4}');
    expect(lines).toEqual([
      'id,sequenceId,feedId,error,errorType,a,rest,rest_',
      '1,2,',
      '3,,"{""b"":[""x""]}"',
      ',,"""-1"""',
      ',,[null]',
      ',,null',
      ',,',
      ',,"{""__proto__"":4}"',
    ]);
  });

  it('has any value in one column when the first is no object', async () => {
    expect(await tableOf('1', '{"a":2}', '"=3"')).toEqual(['id,sequenceId,feedId,error,errorType,value', '1', '"{""a"":2}"', "'=3"]);
  });

  it('has the digits of integers that a number cannot hold', async () => {
    expect(await tableOf('{"a":1050118621198921728}')).toContain('1050118621198921728,');
    expect(withDigits('[9007199254740993, 1.5, 2e3]')).toEqual(['9007199254740993', 1.5, 2000]);
  });
});

const HOSTILE = 'a\u001b]0;owned\u0007\u009b31m\u007f\r\u202eb';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const ACTING = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

describe('a line', () => {
  it('has colours and nothing else that acts on a terminal', () => {
    expect(shown(`\u001b[31m${HOSTILE}\u001b[39m\nb\u001b[2Jc`)).toBe('\u001b[31ma ]0;owned  31m   b\u001b[39m b [2Jc');
  });

  it('of JSON is the same JSON when it is escaped', () => {
    const text = JSON.stringify({ [HOSTILE]: ['\u{e0041}\u2028', 'ü漢'] });
    expect(escaped(text)).not.toMatch(ACTING);
    expect(escaped(text)).toContain('\\udb40\\udc41\\u2028","ü漢');
    expect(JSON.parse(escaped(text))).toEqual(JSON.parse(text));
  });

  it.each([
    ['abc', 3],
    ['漢字', 4],
    ['ｶﾅ', 2],
    ['한글', 4],
    ['e\u0301', 1],
    ['🚀', 2],
    ['❤\ufe0f', 2],
    ['\u001b[31m漢\u001b[39m', 2],
  ])('%j takes its columns', (text, columns) => {
    expect(widthOf(text)).toBe(columns);
  });

  it('is cut where the columns end, not where the characters do', () => {
    expect(cut('\u001b[31m漢字漢\u001b[39mx', 5)).toBe('\u001b[31m漢字\u001b[39m');
    const writes: string[] = [];
    const screen = {
      isTerminal: true,
      columns: 10,
      rows: 5,
      write: (text: string) => void writes.push(text),
      onResize: () => () => undefined,
    };
    createFrame(screen, { isWhole: false }).draw(['漢字漢字漢字', '漢字🚀', `a${HOSTILE}`]);
    const lines = writes
      .join('')
      .split('\r\n')
      .map((line) => stripVTControlCharacters(line).replaceAll('\r', ''));
    expect(lines).toEqual(['漢字漢字…', '漢字🚀', 'aa ]0;ow…', '']);
    expect(
      table([
        ['漢', 'x'],
        ['abc', 'y'],
      ]),
    ).toEqual(['漢   x', 'abc  y']);
  });
});

describeTerminal('on a terminal', () => {
  const row = { id: HOSTILE, sequenceId: 1, feedId: 'f', metadata: {}, error: null, value: { [HOSTILE]: HOSTILE } };
  const results = `${JSON.stringify(row)}\n`;
  const group = { group: 'g', type: HOSTILE, stage: 'S', sample: HOSTILE, count: 1, itemIds: [HOSTILE], firstAt: HOSTILE, lastAt: HOSTILE };

  it.each([
    ['results', ['results', 'p'], results],
    ['a table of results', ['results', 'p', '-o', 'csv'], results],
    ['groups of errors as JSON', ['errors', 'p', '--json'], { groups: [group], otherCount: 0 }],
    ['groups of errors', ['errors', 'p', '--no-color'], { groups: [group], otherCount: 0 }],
  ])('%s have nothing that acts on it', async (_, args, document) => {
    const { code, stdout } = await onTerminal(args, await answering(document)).ended;
    expect([code, stdout.replaceAll('\r\n', '\n')]).toEqual([0, expect.not.stringMatching(ACTING)]);
    expect(stdout).toContain('owned');
  });
});

it('results in a pipe are as the service sent them', async () => {
  const line = '{"id":"\u009b","sequenceId":1,"feedId":"f","metadata":{},"error":null,"value":"\u007f"}\n';
  expect((await sluice(['results', 'p'], { env: await answering(line) })).stdout).toBe(line);
});

it('completion offers no name that bash would run, and its script runs none', async () => {
  const names = ['good:1', '$(touch owned)', '`touch owned`', 'a b', "it's", '-rf', '*', 'a;b'];
  const env = await answering({ pipelines: names.map((id) => ({ id })), nextCursor: null });
  expect((await sluice(['__complete', '--', 'watch', ''], { env })).stdout).toBe('good:1\n');

  // A command that offers all of them, as an older one would.
  const cwd = folderWith({ sluice: `#!/bin/sh\nprintf '%s\\n' ${names.map((name) => `'${name.replaceAll("'", "'\\''")}'`).join(' ')}\n` });
  chmodSync(`${cwd}/sluice`, 0o755);
  const { stdout: script } = await sluice(['completion', 'bash']);
  const complete = (typed: string): string[] =>
    execFileSync(
      'bash',
      [
        '--norc',
        '-c',
        `${script}\nCOMP_WORDS=(sluice watch "$1"); COMP_CWORD=2; _sluice; printf '%s\\n' "\${COMPREPLY[@]}"; ls`,
        '-',
        typed,
      ],
      {
        cwd,
        encoding: 'utf8',
        env: { PATH: `${cwd}:${process.env.PATH}` },
      },
    )
      .trim()
      .split('\n');
  expect(complete('')).toEqual([...names, 'sluice']);
  expect(complete('go')).toEqual(['good:1', 'sluice']);
});
