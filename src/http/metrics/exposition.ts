import type { HistogramReading } from '../../engine/index.ts';
import { FAMILIES, type Family, type FamilyName, type LabelsOf, type NameOf } from './families.ts';

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * The lines of one answer in the text format of Prometheus, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format). A family without a series is left out.
 */
export class Exposition {
  private readonly lines = new Map<FamilyName, string[]>();

  /** Adds a series of a counter or gauge. Each combination of labels MUST be added once. */
  add<N extends NameOf<'counter' | 'gauge'>>(name: N, labels: LabelsOf<N>, value: number): void {
    this.of(name).push(`${name}${braced(pairsOf(name, labels as readonly string[]))} ${numberText(value)}`);
  }

  /** Adds a series of a histogram: its cumulative buckets, sum and count. */
  addHistogram<N extends NameOf<'histogram'>>(name: N, labels: LabelsOf<N>, { bounds, counts, sum }: HistogramReading): void {
    const lines = this.of(name);
    const pairs = pairsOf(name, labels as readonly string[]);
    const before = pairs === '' ? `${name}_bucket{le="` : `${name}_bucket{${pairs},le="`;
    let total = 0;
    for (let i = 0; i < bounds.length; i++) {
      total += counts[i] as number;
      lines.push(`${before}${bounds[i]}"} ${total}`);
    }
    total += counts[bounds.length] as number;
    lines.push(`${before}+Inf"} ${total}`, `${name}_sum${braced(pairs)} ${numberText(sum)}`, `${name}_count${braced(pairs)} ${total}`);
  }

  /** The answer as a whole. */
  text(): string {
    const parts: string[] = [];
    for (const [name, { help, type }] of Object.entries(FAMILIES) as [FamilyName, Family][]) {
      const lines = this.lines.get(name);
      if (lines !== undefined) parts.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...lines);
    }
    return `${parts.join('\n')}\n`;
  }

  private of(name: FamilyName): string[] {
    let lines = this.lines.get(name);
    if (lines === undefined) {
      lines = [];
      this.lines.set(name, lines);
    }
    return lines;
  }
}

function pairsOf(name: FamilyName, values: readonly string[]): string {
  const { labels }: Family = FAMILIES[name];
  return labels.map((label, i) => `${label}="${escapeLabel(values[i] as string)}"`).join(',');
}

function braced(pairs: string): string {
  return pairs === '' ? '' : `{${pairs}}`;
}

const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

/** Lone surrogates, which UTF-8 has no form for, become the replacement character. */
function escapeLabel(text: string): string {
  return text.toWellFormed().replaceAll(/[\\"\n]/g, (character) => ESCAPED[character] as string);
}

function escapeHelp(text: string): string {
  return text.replaceAll(/[\\\n]/g, (character) => ESCAPED[character] as string);
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
