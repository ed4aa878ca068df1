import { shown } from './paint.ts';
import type { Screenlike } from './terminal.ts';
import { cut, widthOf } from './width.ts';

/** A block of lines that is drawn over itself. */
export interface Frame {
  /** Draws these lines in place of the last ones: one write, of the lines alone that differ. */
  draw(lines: readonly string[]): void;
  /** Leaves the last lines where they are, or, of a whole screen, gives back what was there before. */
  end(): void;
}

const CLEAR_TO_END = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';
const ALTERNATE_SCREEN = '\u001b[?1049h\u001b[H';
const MAIN_SCREEN = '\u001b[?1049l';
const up = (lines: number): string => (lines === 0 ? '' : `\u001b[${lines}A`);
const down = (lines: number): string => (lines === 0 ? '' : `\u001b[${lines}B`);

/** `isWhole`: takes the alternate screen, so that what was on the terminal comes back at the end. */
export function createFrame(screen: Screenlike, { isWhole }: { isWhole: boolean }): Frame {
  let drawn: string[] = [];
  let isBegun = false;
  let shape = '';
  return {
    draw(lines) {
      const { columns, rows } = screen;
      const next = lines.slice(0, Math.max(1, rows - 1)).map((line) => fitted(shown(line), columns));
      let output = isBegun ? '' : (isWhole ? ALTERNATE_SCREEN : '') + HIDE_CURSOR;
      const isFirst = !isBegun;
      isBegun = true;
      // Lines are where they were only as long as the terminal has its shape; after that, all is drawn anew.
      const isSame = shape === `${columns}x${rows}`;
      shape = `${columns}x${rows}`;
      if (!isFirst && isSame && next.length === drawn.length && next.every((line, i) => line === drawn[i])) return;
      output += `\r${up(Math.min(drawn.length, rows - 1))}`;
      if (!isSame) output += CLEAR_BELOW;
      let skipped = 0;
      next.forEach((line, i) => {
        if (isSame && drawn[i] === line) {
          skipped++;
          return;
        }
        // A line that does not exist yet cannot be moved to, but is made by a newline; skipped ones are all there.
        output += `${down(skipped)}${line}${CLEAR_TO_END}\r\n`;
        skipped = 0;
      });
      output += down(skipped);
      if (next.length < drawn.length) output += CLEAR_BELOW;
      drawn = next;
      screen.write(output);
    },
    end() {
      if (!isBegun) return;
      screen.write(SHOW_CURSOR + (isWhole ? MAIN_SCREEN : ''));
    },
  };
}

/** A line that does not reach the last column, where terminals differ in what comes next. Its colours end with it. */
function fitted(line: string, columns: number): string {
  return widthOf(line) < columns ? line : `${cut(line, columns - 2)}…\u001b[0m`;
}
