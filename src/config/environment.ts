/** Variables by name; those that are not set may be absent. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The entries of a list: they stand between commas or white space. */
export function listOf(text = ''): string[] {
  return text.split(/[\s,]+/).filter((entry) => entry !== '');
}
