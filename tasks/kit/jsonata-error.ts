/** JSONata throws objects that aren't Errors, some without a message. */
export function describeJsonataError(error: unknown): string {
  const { code, message, position } = error as { code?: unknown; message?: unknown; position?: unknown };
  const text = typeof message === 'string' ? message : String(code ?? error);
  const where = typeof position === 'number' ? ` at character ${position}` : '';
  return `${text}${where}${typeof code === 'string' ? ` (${code})` : ''}`;
}
