import { bar } from './format.ts';
import { shown } from './paint.ts';
import type { Terminal } from './terminal.ts';
import { cut, widthOf } from './width.ts';

/** A line at the bottom of stderr that tells how far something is. Where stderr is no terminal, only messages come out. */
export interface Progress {
  /** `fraction`: 0 to 1, or null while the whole is unknown. The line is drawn ten times a second at most. */
  show(fraction: number | null, text: string): void;
  /** Writes a message above the line. */
  say(message: string): void;
  /** Takes the line away. */
  clear(): void;
}

const FRAME_MS = 100;
const BAR_COLUMNS = 24;
const SPINNER = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const CLEAR_LINE = '\r\u001b[K';

export function createProgress({ stderr, say, messagePaint: paint }: Terminal): Progress {
  if (!stderr.isTerminal) return { show() {}, say, clear() {} };
  let drawn = '';
  let latest: { fraction: number | null; text: string } | null = null;
  let timer: NodeJS.Timeout | undefined;
  let frames = 0;
  const line = ({ fraction, text }: { fraction: number | null; text: string }): string => {
    const head =
      fraction === null
        ? (SPINNER[frames++ % SPINNER.length] as string)
        : `${paint.cyan(bar(fraction, BAR_COLUMNS))} ${String(Math.floor(fraction * 100)).padStart(3)} %`;
    const room = stderr.columns - widthOf(head) - 2;
    return `${head} ${cut(shown(text), room)}`;
  };
  const draw = (): void => {
    timer = undefined;
    if (latest === null) return;
    const next = line(latest);
    if (next !== drawn) stderr.write(CLEAR_LINE + next);
    drawn = next;
  };
  return {
    show(fraction, text) {
      latest = { fraction, text };
      timer ??= setTimeout(draw, FRAME_MS).unref();
    },
    say(message) {
      stderr.write(`${drawn === '' ? '' : CLEAR_LINE}${shown(message)}\n${drawn}`);
    },
    clear() {
      clearTimeout(timer);
      timer = undefined;
      latest = null;
      if (drawn !== '') stderr.write(CLEAR_LINE);
      drawn = '';
    },
  };
}
