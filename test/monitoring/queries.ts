import { FAMILIES, type Family } from '../../src/http/metrics/families.ts';
import type { Sample } from './reading.ts';

export interface Selector {
  metric: string;
  matchers: { label: string; operator: string; value: string }[];
}

/** Added by Prometheus to every series, and its own metric of whether a target answers. */
const TARGET_LABELS = ['instance', 'job'];
const OF_PROMETHEUS: Readonly<Record<string, readonly string[]>> = { up: [] };

const TEXT = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g;
const GROUPING = /\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g;
const WORDS = ['and', 'or', 'unless', 'by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'offset', 'bool', 'inf', 'nan'];

/** Every metric that an expression of PromQL selects, with what it asks of labels. */
export function selectorsOf(expr: string): Selector[] {
  const texts: string[] = [];
  const bare = expr
    .replaceAll(TEXT, (text) => `"${texts.push(text.slice(1, -1)) - 1}"`)
    .replaceAll(GROUPING, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ');
  return [...bare.matchAll(/(?<![\w.:])([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\{[^}]*\}|\(|)/g)].flatMap(([, word = '', then = '']) => {
    if (then === '(' || WORDS.includes(word.toLowerCase())) return [];
    const matchers = [...then.matchAll(/([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"(\d+)"/g)];
    return [
      {
        metric: word,
        matchers: matchers.map(([, label = '', operator = '', index]) => ({ label, operator, value: texts[Number(index)] as string })),
      },
    ];
  });
}

/** The labels of a metric that is in the catalogue, or of one bucket, sum or count of a histogram there; undefined if there is none. */
export function labelsOf(metric: string): readonly string[] | undefined {
  const families: Readonly<Record<string, Family>> = FAMILIES;
  const known = families[metric];
  if (known !== undefined) return known.type === 'histogram' ? undefined : [...known.labels, ...TARGET_LABELS];
  const [, name = '', part] = /^(.*)_(bucket|sum|count)$/.exec(metric) ?? [];
  const histogram = families[name];
  if (histogram?.type === 'histogram') return [...histogram.labels, ...(part === 'bucket' ? ['le'] : []), ...TARGET_LABELS];
  const other = OF_PROMETHEUS[metric];
  return other && [...other, ...TARGET_LABELS];
}

/** What an expression, and the text that shows its labels, asks for and no series has. */
export function faultsOf(expr: string, shown = ''): string[] {
  const selectors = selectorsOf(expr);
  const there = new Set(selectors.flatMap(({ metric }) => labelsOf(metric) ?? []));
  const grouped = [...expr.replaceAll(TEXT, '""').matchAll(GROUPING)].flatMap(([, , names = '']) => names.split(','));
  const named = [...shown.matchAll(/\{\{\s*(?:\$labels[.])?(\w+)\s*\}\}/g)].map(([, name = '']) => name);
  return [
    ...(selectors.length === 0 ? ['it selects nothing'] : []),
    ...selectors.flatMap(({ metric, matchers }) => {
      const labels = labelsOf(metric);
      if (labels === undefined) return [`no metric ${metric}`];
      return matchers.filter(({ label }) => !labels.includes(label)).map(({ label }) => `${metric} has no label ${label}`);
    }),
    ...[...grouped, ...named].flatMap((name) => (name.trim() === '' || there.has(name.trim()) ? [] : [`no label ${name.trim()}`])),
  ];
}

/** Matchers of an expression that no series of these fulfils, each branch of an alternative by itself. */
export function vainMatchers(expr: string, samples: readonly Sample[]): string[] {
  return selectorsOf(expr).flatMap(({ metric, matchers }) =>
    matchers.flatMap(({ label, operator, value }) => {
      if (TARGET_LABELS.includes(label) || value.startsWith('$')) return [];
      const values = samples.filter(({ name }) => name === metric).map(({ labels }) => labels[label] as string);
      const branches = operator.includes('~') ? value.split('|') : [value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')];
      return branches
        .filter((branch) => !values.some((one) => new RegExp(`^(?:${branch})$`).test(one)))
        .map((branch) => `${metric}{${label}${operator}"${branch}"}`);
    }),
  );
}
