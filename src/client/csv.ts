/** Lines of CSV (RFC 4180), as the command line and the page write them. */

/** Characters that make a spreadsheet take a text for a formula (OWASP, CSV injection), the wide forms of some among them. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
/** A number is harmless, but only if the whole text is one: `-2+3` is a formula. */
const NUMBER = /^-\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** A value: a text as it is, nothing for null, anything else as JSON. What a spreadsheet would take for a formula gets a quote before it. */
export function csvCell(value: unknown): string {
  const text = typeof value === 'string' ? value : value === null || value === undefined ? '' : JSON.stringify(value);
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csvLine = (values: readonly unknown[]): string => values.map(csvCell).join(',');

/** A text of JSON, in which integers that a number cannot hold are texts of their digits. */
export function withDigits<T>(text: string): T {
  const reviver = (_: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value) ? (context?.source ?? value) : value;
  return JSON.parse(text, reviver) as T;
}
