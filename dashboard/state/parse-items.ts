/** Items that somebody pasted or dropped: JSON, NDJSON or CSV, told apart by what they look like. */
import { losesDigits, lostIn } from './lost-integers.ts';

export interface ParsedItems {
  form: 'JSON' | 'NDJSON' | 'CSV';
  /** Each item as one line of JSON. Lines of NDJSON stay as they are, so integers beyond 2^53 keep their digits. */
  lines: string[];
  /** Of a body as `POST …/feed` takes it: what it says beside its items. */
  options?: FeedSettings;
  /** Members of such a body that a feed has not, and that are left out. */
  left?: string[];
}

/** What a body of `POST …/feed` may say, by the type that each has there. */
const SETTINGS = { feedId: 'string', targetStage: 'string', priority: 'number', onDuplicate: 'string' } as const;
interface FeedSettings {
  feedId?: string;
  targetStage?: string;
  priority?: number;
  onDuplicate?: 'skip' | 'reject' | 'rerun';
}

/** The input is none of the three, or is broken; `line` from 1. */
export class ItemsFault extends Error {
  readonly line: number;

  constructor(message: string, line: number) {
    super(`line ${line}: ${message}`);
    this.line = line;
  }
}

export function parseItems(text: string): ParsedItems {
  const trimmed = text.trim();
  if (trimmed === '') return { form: 'NDJSON', lines: [] };
  if (trimmed.startsWith('[') || isDocument(trimmed)) return { form: 'JSON', ...jsonItems(trimmed) };
  if (/^[[{"\d-]|^(true|false|null)\s*$/m.test(trimmed.split('\n', 1)[0] as string) && !looksLikeCsv(trimmed))
    return { form: 'NDJSON', lines: linesOfNdjson(text) };
  return { form: 'CSV', lines: linesOfCsv(text) };
}

/** One object over several lines, or a body such as `{ "items": [ … ] }`. */
function isDocument(text: string): boolean {
  if (!text.startsWith('{')) return false;
  const first = text.split('\n', 1)[0] as string;
  return !isJson(first) || (!text.includes('\n') && isBody(JSON.parse(text)));
}

function looksLikeCsv(text: string): boolean {
  const first = text.split('\n', 1)[0] as string;
  return first.startsWith('"') && /[,;]/.test(first) && !isJson(first);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What has an id or a value is an item, whatever else it has. */
function isBody(parsed: unknown): parsed is { items: unknown[] } & Record<string, unknown> {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return false;
  return Array.isArray((parsed as { items?: unknown }).items) && !('id' in parsed) && !('value' in parsed);
}

function jsonItems(text: string): Omit<ParsedItems, 'form'> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new ItemsFault(`is not valid JSON: ${(error as Error).message}`, 1);
  }
  // As they stand there, not as numbers of 64 bits have them.
  const lines = isBody(parsed) ? elementsOf(memberOf(text, 'items')) : Array.isArray(parsed) ? elementsOf(text) : [text];
  for (const item of lines) {
    const lost = lostIn(item);
    if (lost !== null) throw lostDigits(lost, text.slice(0, text.indexOf(lost)).split('\n').length);
  }
  const items = { lines: lines.map(oneLine) };
  if (!isBody(parsed)) return items;
  const { items: _, ...others } = parsed;
  const isSetting = ([name, value]: [string, unknown]): boolean => SETTINGS[name as keyof typeof SETTINGS] === typeof value;
  const { settings = [], left = [] } = Object.groupBy(Object.entries(others), (one) => (isSetting(one) ? 'settings' : 'left'));
  return {
    ...items,
    ...(settings.length > 0 && { options: Object.fromEntries(settings) }),
    ...(left.length > 0 && { left: left.map(([name]) => name) }),
  };
}

/** The text of a member of an object, which is known to be valid and to have it. The last one of a name counts, as for `JSON.parse`. */
function memberOf(text: string, name: string): string {
  const named = elementsOf(text).map((member) => [/^"(?:[^"\\]|\\.)*"/.exec(member)?.[0] ?? '', member] as const);
  const [key, member] = named.findLast(([one]) => JSON.parse(one) === name) as readonly [string, string];
  return member.slice(member.indexOf(':', key.length) + 1).trim();
}

/** Told before anything is sent: the service takes the items before such a one and then refuses it. */
function lostDigits(integer: string, line: number): ItemsFault {
  const shown = integer.length > 40 ? `${integer.slice(0, 40)}…` : integer;
  return new ItemsFault(`holds the integer ${shown}, which a number cannot hold exactly. In quotes it keeps its digits`, line);
}

/** The texts of the elements of an array, or of the members of an object, which is known to be valid. */
function elementsOf(text: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let isInString = false;
  let start = 1;
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (isInString) {
      if (c === '\\') i++;
      else if (c === '"') isInString = false;
    } else if (c === '"') {
      isInString = true;
    } else if (c === '[' || c === '{') {
      depth++;
    } else if (c === ']' || c === '}') {
      depth--;
      if (depth === 0) {
        const last = text.slice(start, i).trim();
        if (last !== '') found.push(last);
        return found;
      }
    } else if (c === ',' && depth === 1) {
      found.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  return found;
}

/** A line break between two tokens means nothing, and inside of a string there is none. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]+\s*/g, ' ');
}

function linesOfNdjson(text: string): string[] {
  return text.split('\n').flatMap((line, i) => {
    const trimmed = line.trim();
    if (trimmed === '') return [];
    try {
      JSON.parse(trimmed);
    } catch (error) {
      throw new ItemsFault(`is not valid JSON: ${(error as Error).message}`, i + 1);
    }
    const lost = lostIn(trimmed);
    if (lost !== null) throw lostDigits(lost, i + 1);
    return [trimmed];
  });
}

/** RFC 4180, with the first line as names. A field that is a number is one, unless digits of it would be lost; quotes make it text. */
function linesOfCsv(text: string): string[] {
  const [names, ...rows] = rowsOfCsv(text);
  if (names === undefined) return [];
  const keys = names.cells.map(({ text: name }) => name.trim());
  const twice = keys.find((key, i) => keys.indexOf(key) < i);
  if (twice !== undefined) throw new ItemsFault(`names the column "${twice}" twice, and an item has one member of a name`, names.line);
  if (keys.length < 2 && rows.length === 0) throw new ItemsFault('is neither JSON nor CSV with a line of names', 1);
  return rows.map(({ cells, line }) => {
    if (cells.length !== keys.length) throw new ItemsFault(`has ${cells.length} fields, and the first line names ${keys.length}`, line);
    return `{${cells.map((cell, i) => `${JSON.stringify(keys[i])}:${jsonOf(cell)}`).join(',')}}`;
  });
}

interface Cell {
  text: string;
  isQuoted: boolean;
}

function jsonOf({ text, isQuoted }: Cell): string {
  if (isQuoted) return JSON.stringify(text);
  if (text === '') return 'null';
  if (losesDigits(text)) return JSON.stringify(text);
  return /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) || text === 'true' || text === 'false' ? text : JSON.stringify(text);
}

function rowsOfCsv(text: string): { cells: Cell[]; line: number }[] {
  const first = text.trimStart().split('\n', 1)[0] as string;
  const comma = first.includes(';') && !first.includes(',') ? ';' : ',';
  const rows: { cells: Cell[]; line: number }[] = [];
  let cells: Cell[] = [];
  let cell = '';
  let isQuoted = false;
  let isInside = false;
  let line = 1;
  let begun = 1;
  const endCell = (): void => {
    cells.push({ text: isQuoted ? cell : cell.trim(), isQuoted });
    cell = '';
    isQuoted = false;
  };
  const endRow = (): void => {
    endCell();
    if (cells.length > 1 || cells[0]?.text !== '') rows.push({ cells, line: begun });
    cells = [];
    begun = line + 1;
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (isInside) {
      if (c !== '"') cell += c;
      else if (text[i + 1] === '"') {
        cell += '"';
        i++;
      } else isInside = false;
    } else if (c === '"' && cell.trim() === '') {
      isInside = true;
      isQuoted = true;
      cell = '';
    } else if (c === comma) endCell();
    else if (c === '\n') endRow();
    else if (c !== '\r') cell += c;
    if (c === '\n') line++;
  }
  if (isInside) throw new ItemsFault('a quoted field does not end', begun);
  if (cell !== '' || cells.length > 0) endRow();
  return rows;
}
