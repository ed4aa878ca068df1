import { stripVTControlCharacters } from 'node:util';

/** Colours, and characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal begin with one
const PARTS = /\u001b\[[0-9;]*m|./gsu;
/**
 * Characters that take two columns: the wide and full-width ones of East Asia (UAX #11), and emoji. Terminals differ on sequences of emoji; this counts each of one,
 * since a line that is too short is no harm.
 */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1f200}-\u{1f2ff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
/** Characters that stand on the one before. The selector of emoji is none of them: it makes a narrow one wide. */
const MARK = /(?!\ufe0f)[\p{Mn}\p{Me}]/u;
const ASCII = /^[ -~]*$/;

function columnsOf(character: string): number {
  return MARK.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
}

/** The columns that a text takes on the screen, without its colours. */
export function widthOf(text: string): number {
  const visible = stripVTControlCharacters(text);
  if (ASCII.test(visible)) return visible.length;
  let width = 0;
  for (const character of visible) width += columnsOf(character);
  return width;
}

/** The beginning of a text that fits into so many columns, with all of its colours. */
export function cut(text: string, columns: number): string {
  let width = 0;
  let kept = '';
  for (const [part] of text.matchAll(PARTS)) {
    if (!part.startsWith('\u001b')) {
      width += columnsOf(part);
      if (width > columns) continue;
    }
    kept += part;
  }
  return kept;
}
