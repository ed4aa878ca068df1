import { type Document, isAlias, isMap, isScalar, isSeq, type Scalar, visit, type YAMLError } from 'yaml';
import { losesDigits } from '../schemas/big-numbers.ts';

/** A fault of a YAML document, and where it stands in its text. */
export interface YamlFault {
  offset: number;
  message: string;
}

/** Everything that is wrong with a document before anything is made of it. */
export function yamlFaults(document: Document.Parsed, text: string): YamlFault[] {
  // A warning is a tag that means nothing here; what stands behind it is not what its author thinks.
  const problems = [...document.errors, ...document.warnings].map((error) => ({ offset: error.pos[0], message: wordsFor(error, text) }));
  // Whatever follows from a template without quotes says nothing more.
  const unquoted = problems.filter(({ message }) => message === UNQUOTED);
  if (unquoted.length > 0) return unquoted;
  if (problems.length > 0) return problems;
  const found: YamlFault[] = [];
  visit(document, {
    Scalar(_key, node) {
      if (isLost(node))
        found.push({
          offset: node.range?.[0] ?? 0,
          message: `the integer ${node.source} is more than a number can hold exactly: put it in quotes`,
        });
    },
    Pair(_key, { key, value }) {
      if (!isScalar(key) || key.value !== '<<' || key.type !== 'PLAIN') return;
      const sources = isSeq(value) ? value.items : [value];
      const areMaps = sources.every((source) => isMap(isAlias(source) ? source.resolve(document) : source));
      if (!areMaps) found.push({ offset: key.range?.[0] ?? 0, message: 'what << merges must be a mapping, or a list of mappings' });
    },
  });
  return found;
}

const UNQUOTED = 'a template must be in quotes, since YAML takes {{ for a mapping: write "{{ value.url }}"';

function wordsFor({ code, message, pos }: YAMLError, text: string): string {
  if (code === 'NON_STRING_KEY') {
    const isTemplate = text[pos[0]] === '{' && (text[pos[0] - 1] === '{' || text[pos[0] + 1] === '{');
    return isTemplate ? UNQUOTED : 'a key must be a text, and not a mapping, a list or nothing';
  }
  return text.startsWith('{{', pos[0]) || text.startsWith('{{', pos[0] - 1) ? UNQUOTED : message;
}

/** Whether it is written as an integer that a number cannot hold. */
function isLost({ value, source, type }: Scalar): boolean {
  if (typeof value !== 'number' || type !== 'PLAIN' || source === undefined || !/^[-+]?(?:0x[\da-f]+|0o[0-7]+|\d+)$/i.test(source))
    return false;
  const digits = source.replace(/^[-+]/, '');
  if (/^\d+$/.test(digits)) return losesDigits(digits.replace(/^0+(?=\d)/, ''));
  return !Number.isFinite(value) || BigInt(digits) !== BigInt(Math.abs(value));
}
