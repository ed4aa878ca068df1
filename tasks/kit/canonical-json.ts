/**
 * JSON with the members of every object in one order, as RFC 8785 (JSON Canonicalization Scheme) defines it: by the UTF-16 code units of
 * their names, without spaces, numbers and texts as `JSON.stringify` writes them. Equal values give equal texts.
 *
 * Values that JSON cannot represent are treated as by `JSON.stringify`: left out of an object, `null` elsewhere. Throws a TypeError for a bigint.
 */
export function canonicalJson(value: unknown): string {
  return write(value) ?? 'null';
}

function write(given: unknown): string | undefined {
  const value = hasToJson(given) ? given.toJSON() : given;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((member) => write(member) ?? 'null').join(',')}]`;
  const members: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const text = write((value as Record<string, unknown>)[key]);
    if (text !== undefined) members.push(`${JSON.stringify(key)}:${text}`);
  }
  return `{${members.join(',')}}`;
}

function hasToJson(value: unknown): value is { toJSON(): unknown } {
  return typeof value === 'object' && value !== null && typeof (value as { toJSON?: unknown }).toJSON === 'function';
}
