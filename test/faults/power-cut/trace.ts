/** What strace has seen of a process: its calls, in the order in which they happened. */

/** A call that has come back. */
export interface Call {
  name: string;
  /** What it was asked to write, in the order of the parts. */
  texts: Buffer[];
  /** Its arguments without what they quote. */
  args: string;
  result: number;
  /** How many calls had come back when this one began. */
  began: number;
}

const LINE = /^(\d+) +(.*)$/;
const BEGUN = / <unfinished \.\.\.>$/;
const RESUMED = /^<\.\.\. \w+ resumed>(.*)$/;
const CALL = /^(\w+)\((.*)\) += (-?\d+|\?)/;

const BACKSLASH = 92;
const QUOTE = 34;
const ZERO = 48;
const ESCAPES: Record<string, number> = { n: 10, t: 9, r: 13, f: 12, v: 11, '"': QUOTE, '\\': BACKSLASH };

/** Every call that has come back, by the lines of `strace -f -o`. One that the end of its process cut off is left out: it may have done anything. */
export function callsOf(text: string): Call[] {
  const calls: Call[] = [];
  const unfinished = new Map<string, { text: string; began: number }>();
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from);
    const [, pid, rest] = LINE.exec(text.slice(from, end === -1 ? undefined : end)) ?? [];
    from = end === -1 ? text.length : end + 1;
    if (pid === undefined || rest === undefined) continue;
    if (BEGUN.test(rest)) {
      unfinished.set(pid, { text: rest.replace(BEGUN, ''), began: calls.length });
      continue;
    }
    const resumed = RESUMED.exec(rest)?.[1];
    const call = resumed === undefined ? { text: rest, began: calls.length } : unfinished.get(pid);
    if (call === undefined) continue;
    const parsed = parse(call.text + (resumed ?? ''));
    if (parsed !== null) calls.push({ ...parsed, began: call.began });
  }
  return calls;
}

function parse(line: string): Omit<Call, 'began'> | null {
  const { texts, rest } = withoutTexts(line);
  const [, name, args, result] = CALL.exec(rest) ?? [];
  return name === undefined || args === undefined || result === '?' ? null : { name, args, texts, result: Number(result) };
}

/** Takes out what stands between quotation marks; two of them remain in each place. */
function withoutTexts(line: string): { texts: Buffer[]; rest: string } {
  const texts: Buffer[] = [];
  let rest = '';
  let from = 0;
  for (;;) {
    const start = line.indexOf('"', from);
    if (start === -1) return { texts, rest: rest + line.slice(from) };
    let end = start + 1;
    while (end < line.length && line.charCodeAt(end) !== QUOTE) end += line.charCodeAt(end) === BACKSLASH ? 2 : 1;
    if (line.startsWith('...', end + 1)) throw new Error(`strace has cut off what was written: ${line.slice(0, 100)}`);
    texts.push(unescaped(line.slice(start + 1, end)));
    rest += `${line.slice(from, start)}""`;
    from = end + 1;
  }
}

/** Bytes as C writes them: strace escapes whatever is not printable ASCII, numbers in octal and as short as they can be. */
function unescaped(text: string): Buffer {
  const bytes = Buffer.allocUnsafe(text.length);
  let length = 0;
  for (let i = 0; i < text.length; ) {
    const code = text.charCodeAt(i++);
    if (code !== BACKSLASH) {
      bytes[length++] = code;
      continue;
    }
    const escaped = ESCAPES[text[i] as string];
    let value = escaped ?? 0;
    if (escaped !== undefined) i++;
    else for (const end = i + 3; i < end && isOctal(text.charCodeAt(i)); i++) value = value * 8 + text.charCodeAt(i) - ZERO;
    bytes[length++] = value;
  }
  return bytes.subarray(0, length);
}

const isOctal = (code: number): boolean => code >= ZERO && code < ZERO + 8;
