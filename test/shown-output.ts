/** The pattern of a line of output as a page shows it: `…` stands for anything, and, where numbers vary, a number for any. */
export function patternOf(line: string, numbersVary = false): RegExp {
  const literal = line.trim().replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&');
  const pattern = (numbersVary ? literal.replaceAll(/\d+/g, '\\d+') : literal).replaceAll('…', '.*');
  return new RegExp(`^\\s*${pattern}\\s*$`);
}
