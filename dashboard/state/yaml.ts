/** Writes a JSON value as YAML that a person would write: blocks, plain words where they are safe, long texts line by line. */
export function toYaml(value: unknown, depth = 0): string {
  if (Array.isArray(value))
    return value.length === 0
      ? ' []\n'
      : blockOf(
          value.map((one) => `-${nested(one, depth + 1, true)}`),
          depth,
        );
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return members.length === 0
      ? ' {}\n'
      : blockOf(
          members.map(([key, member]) => `${scalar(key)}:${nested(member, depth + 1, false)}`),
          depth,
        );
  }
  return `${text(value, depth)}\n`;
}

function blockOf(lines: readonly string[], depth: number): string {
  return lines.map((line) => '  '.repeat(depth) + line).join('');
}

function nested(value: unknown, depth: number, isInList: boolean): string {
  const isBlock = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  if (!isBlock) return typeof value === 'object' && value !== null ? toYaml(value) : ` ${text(value, depth)}\n`;
  // The first member of a map in a list stands beside the dash.
  return isInList && !Array.isArray(value) ? ` ${toYaml(value, depth).trimStart()}` : `\n${toYaml(value, depth)}`;
}

function text(value: unknown, depth: number): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  const isLong = value.includes('\n') && !/[ \t]\n|^\s|[^\x20-\x7e\n\u00a0-\ud7ff\ue000-\ufffd]/.test(value);
  if (!isLong) return scalar(value);
  const indent = '  '.repeat(Math.max(1, depth));
  const end = value.endsWith('\n') ? (value.endsWith('\n\n') ? '+' : '') : '-';
  return `|${end}\n${value
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => (line === '' ? '' : indent + line))
    .join('\n')}`;
}

/** Plain where no reader of YAML 1.1 or 1.2 takes it for anything but a text. */
function scalar(value: string): string {
  const isPlain =
    /^[A-Za-z_/][\w ./@()-]*$/.test(value) && !/\s$/.test(value) && !/^(true|false|null|yes|no|on|off|y|n|nan|inf)$/i.test(value);
  return isPlain ? value : JSON.stringify(value);
}
