/** A terminal that python3 makes, and what can be read on it. */
import { execFileSync } from 'node:child_process';
import { describe } from 'vitest';
import { type Running, startSluice } from './sluice-process.ts';

const hasPython = ((): boolean => {
  try {
    execFileSync('python3', ['-c', 'import pty'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
if (!hasPython) process.stderr.write('SKIPPED: without python3 there is no terminal to show anything on\n');

/** A group of tests that need a terminal. */
export const describeTerminal = describe.skipIf(!hasPython && process.env.CI !== 'true');

/** Runs `sluice` on a terminal, which is its stdin, stdout and stderr. */
export const onTerminal = (args: readonly string[], env: Record<string, string>): Running =>
  startSluice(args, { env, under: ['python3', `${import.meta.dirname}/on_terminal.py`] });

/** The lines of a terminal after all that was written to it: enough of one for what a frame writes. */
export function screenOf(output: string): string[] {
  const lines = [''];
  let [row, column] = [0, 0];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the language of terminals
  for (const [whole, count, letter] of output.matchAll(/\u001b\[([?\d;]*)([A-Za-z])|./gs)) {
    if (letter === 'A') row -= Number(count);
    else if (letter === 'B') row += Number(count);
    else if (letter === 'K') lines[row] = (lines[row] ?? '').slice(0, column);
    else if (letter === 'J') lines.splice(row, Number.POSITIVE_INFINITY, (lines[row] ?? '').slice(0, column));
    else if (letter !== undefined) continue;
    else if (whole === '\r') column = 0;
    else if (whole === '\n') row++;
    else {
      const line = (lines[row] ?? '').padEnd(column);
      lines[row] = line.slice(0, column) + whole + line.slice(column + 1);
      column++;
    }
    lines[row] ??= '';
  }
  return lines;
}
