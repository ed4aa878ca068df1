/** Markdown made of data: tables, and the fields of a JSON Schema as rows of one. */

export interface JsonSchema {
  [keyword: string]: unknown;
  type?: string | string[];
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A pipe would end the cell and a line break the table. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}

export const code = (text: string): string => `\`${text}\``;

export function codeBlock(language: string, text: string): string {
  return `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``;
}

/** A page that says where it comes from, so that nobody edits it by hand. */
export function page(title: string, sources: string, ...parts: string[]): string {
  return `${[`<!-- Made by \`npm run docs\` from ${sources}. Edit those, not this page. -->`, `# ${title}`, ...parts].join('\n\n').trimEnd()}\n`;
}

/** A row for each property: its name, what it takes, its default or that it is required, what it is for. */
export function parameterRows(schema: JsonSchema): string[][] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, property]) => [
    code(name),
    typeOf(property),
    required.has(name) ? 'required' : property.default === undefined ? '' : code(JSON.stringify(property.default)),
    property.description ?? '',
  ]);
}

/** A row for each property of what Sluice sends: its name, its type, what it means, as the schema says or else as `meanings` does. */
export function fieldRows(schema: JsonSchema, meanings: Readonly<Record<string, string>>): string[][] {
  const required = new Set(schema.required ?? []);
  return Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const meaning = property.description ?? meanings[name];
    if (meaning === undefined) throw new Error(`nothing says what the field "${name}" means`);
    return [required.has(name) ? code(name) : `${code(name)} (not always)`, typeOf(property), meaning];
  });
}

function typeOf(schema: JsonSchema): string {
  if (typeof schema.$ref === 'string') return schema.$ref.split('/').at(-1) ?? '';
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => code(JSON.stringify(value))).join(', ');
  if (Array.isArray(schema.anyOf)) return schema.anyOf.map(typeOf).join(' or ');
  if (schema.format === 'date-time') return 'instant';
  if (schema.type === 'array') return schema.items === undefined ? 'list' : `list of ${typeOf(schema.items as JsonSchema)}`;
  if (Array.isArray(schema.type)) return schema.type.join(' or ');
  if (typeof schema.type === 'string') return schema.type + rangeOf(schema);
  return 'anything';
}

function rangeOf({ type, minimum, maximum, minLength, maxLength }: JsonSchema): string {
  const [low, high] = type === 'string' ? [minLength, maxLength] : [minimum, maximum];
  // zod bounds every integer by what a double holds exactly; nobody meant that as a limit.
  const bound = (value: unknown): string | undefined =>
    typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER ? String(value) : undefined;
  const [from, to] = [bound(low), bound(high)];
  const unit = type === 'string' ? ' characters' : '';
  if (from !== undefined && to !== undefined) return ` of ${from} to ${to}${unit}`;
  if (to !== undefined) return ` of at most ${to}${unit}`;
  // Any text has one character or none: what is left to say then is nothing.
  return from === undefined || type === 'string' ? '' : ` from ${from}`;
}
