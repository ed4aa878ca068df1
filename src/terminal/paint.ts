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

/** A line as it may reach a terminal: of control characters it has colours alone. All lines go through it, in case one has a text that was not made plain. */
export function shown(line: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal begin with one
  return line.replaceAll(/(\u001b\[\d{0,3}m)|[\p{Cc}\p{Cf}\u2028\u2029]/gu, (_, colour: string | undefined) => colour ?? ' ');
}

/** JSON or CSV for a terminal: characters that would act on it are escaped as in JSON, where they stand in texts alone, so JSON stays what it is. */
export function escaped(data: string): string {
  return data.replaceAll(/(?![\t\n])[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
