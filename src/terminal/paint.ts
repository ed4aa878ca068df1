/** Colours, or none: each function returns its text as it is where no colours are wanted. */
export type Paint = Record<keyof typeof CODES, (text: string) => string>;

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], blue: [34, 39], cyan: [36, 39] } as const;

export function createPaint(isColored: boolean): Paint {
  const painted = Object.entries(CODES).map(([name, [begin, end]]) => [
    name,
    isColored ? (text: string) => `\u001b[${begin}m${text}\u001b[${end}m` : (text: string) => text,
  ]);
  return Object.fromEntries(painted) as Paint;
}

/**
 * A text that others have made, on one line and without control characters: an item's id or an error could otherwise move the cursor or change the
 * title of the window.
 */
export function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ');
}
