import { bar } from './format.ts';
import type { Terminal } from './terminal.ts';
import { widthOf } from './terminal.ts';

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
  let shown = '';
  let latest: { fraction: number | null; text: string } | null = null;
  let timer: NodeJS.Timeout | undefined;
  let frames = 0;
  const line = ({ fraction, text }: { fraction: number | null; text: string }): string => {
    const head =
      fraction === null
        ? (SPINNER[frames++ % SPINNER.length] as string)
        : `${paint.cyan(bar(fraction, BAR_COLUMNS))} ${String(Math.floor(fraction * 100)).padStart(3)} %`;
    const room = stderr.columns - widthOf(head) - 2;
    return `${head} ${[...text].slice(0, Math.max(0, room)).join('')}`;
  };
  const draw = (): void => {
    timer = undefined;
    if (latest === null) return;
    const next = line(latest);
    if (next !== shown) stderr.write(CLEAR_LINE + next);
    shown = next;
  };
  return {
    show(fraction, text) {
      latest = { fraction, text };
      timer ??= setTimeout(draw, FRAME_MS).unref();
    },
    say(message) {
      stderr.write(`${shown === '' ? '' : CLEAR_LINE}${message}\n${shown}`);
    },
    clear() {
      clearTimeout(timer);
      timer = undefined;
      latest = null;
      if (shown !== '') stderr.write(CLEAR_LINE);
      shown = '';
    },
  };
}
