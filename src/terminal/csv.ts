/** A cell (RFC 4180). One that a spreadsheet would take for a formula gets a quote before it. */
function cellOf(text: string): string {
  const safe = /^[=+@\t\r]|^-(?!\d)/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csvLine = (texts: readonly string[]): string => texts.map(cellOf).join(',');

/** A line of values: texts as they are, nothing for null, anything else as JSON. */
export function csvRow(values: readonly unknown[]): string {
  return csvLine(
    values.map((value) => (value === null || value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value))),
  );
}
