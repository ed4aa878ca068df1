/** JSON with line breaks, without reading its numbers: those beyond 2^53 would lose digits. */
export function indented(text: string): string {
  let out = '';
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (isInString) {
      out += c;
      if (c === '\\') out += text[++i] ?? '';
      else if (c === '"') isInString = false;
    } else if (c === '"') {
      isInString = true;
      out += c;
    } else if (c === '{' || c === '[') {
      const end = c === '{' ? '}' : ']';
      if (text[i + 1] === end) {
        out += c + end;
        i++;
      } else {
        depth++;
        out += `${c}\n${'  '.repeat(depth)}`;
      }
    } else if (c === '}' || c === ']') {
      depth--;
      out += `\n${'  '.repeat(depth)}${c}`;
    } else if (c === ',') {
      out += `,\n${'  '.repeat(depth)}`;
    } else if (c === ':') {
      out += ': ';
    } else if (!/\s/.test(c)) {
      out += c;
    }
  }
  return out;
}
