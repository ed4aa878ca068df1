/** One line of the text format of Prometheus. */
export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

export interface ReadFamily {
  name: string;
  type: string;
  help: string;
  samples: Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)",?/;
const UNESCAPED: Readonly<Record<string, string>> = { '\\\\': '\\', '\\n': '\n', '\\"': '"' };

/**
 * Reads an answer by the letter of the format, version 0.0.4. Throws where a line cannot stand, where a family is not in one piece, where a series
 * comes twice, and where a histogram is none.
 */
export function readMetrics(text: string): Map<string, ReadFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, ReadFamily>();
  const seen = new Set<string>();
  let help: { name: string; text: string } | undefined;
  let family: ReadFamily | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    const [, word, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (word === 'HELP') {
      help = { name, text: rest };
    } else if (word === 'TYPE') {
      if (help?.name !== name) throw new Error(`no help before: ${line}`);
      if (families.has(name)) throw new Error(`twice: ${line}`);
      family = { name, type: rest, help: help.text, samples: [] };
      families.set(name, family);
    } else {
      const sample = readSample(line);
      if (family === undefined || !belongs(sample.name, family)) throw new Error(`of another family: ${line}`);
      const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
      if (seen.has(key)) throw new Error(`twice: ${line}`);
      seen.add(key);
      family.samples.push(sample);
    }
  }
  for (const read of families.values()) if (read.type === 'histogram') expectHistogram(read);
  return families;
}

function readSample(line: string): Sample {
  const name = NAME.exec(line)?.[0];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  let rest = line.slice(name.length);
  const labels: Record<string, string> = {};
  if (rest.startsWith('{')) {
    rest = rest.slice(1);
    for (let found = LABEL.exec(rest); found !== null; found = LABEL.exec(rest)) {
      const [all, label = '', value = ''] = found;
      labels[label] = value.replaceAll(/\\[\\n"]/g, (escaped) => UNESCAPED[escaped] as string);
      rest = rest.slice(all.length);
    }
    if (!rest.startsWith('}')) throw new Error(`no labels: ${line}`);
    rest = rest.slice(1);
  }
  const [, number] = /^ ([+-]Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(rest) ?? [];
  if (number === undefined) throw new Error(`no value: ${line}`);
  return { name, labels, value: Number(number.replace('Inf', 'Infinity')) };
}

function belongs(name: string, { name: family, type }: ReadFamily): boolean {
  return type === 'histogram' ? [`${family}_bucket`, `${family}_sum`, `${family}_count`].includes(name) : name === family;
}

function expectHistogram({ name, samples }: ReadFamily): void {
  const series = new Map<string, { buckets: [number, number][]; count?: number; sum?: number }>();
  for (const { name: full, labels, value } of samples) {
    const { le, ...others } = labels;
    const key = JSON.stringify(others);
    const one = series.get(key) ?? { buckets: [] };
    series.set(key, one);
    if (le !== undefined) one.buckets.push([Number(le.replace('Inf', 'Infinity')), value]);
    else if (full.endsWith('_sum')) one.sum = value;
    else one.count = value;
  }
  for (const [key, { buckets, count, sum }] of series) {
    const ascends = buckets.every(([le, value], i) => i === 0 || (le > (buckets[i - 1]?.[0] ?? 0) && value >= (buckets[i - 1]?.[1] ?? 0)));
    const last = buckets.at(-1);
    if (!ascends || last?.[0] !== Number.POSITIVE_INFINITY || last[1] !== count || sum === undefined || !(sum >= 0)) {
      throw new Error(`${name}${key} is no histogram`);
    }
  }
}

/** The value of the one series that has these labels, among others perhaps; undefined when there is none. Throws when there are several. */
export function seriesValue(
  families: ReadonlyMap<string, ReadFamily>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''));
  const found = (family?.samples ?? []).filter(
    (sample) => sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  if (found.length > 1) throw new Error(`${name}${JSON.stringify(labels)} is ${found.length} series`);
  return found[0]?.value;
}
