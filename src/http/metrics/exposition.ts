import type { HistogramReading } from '../../engine/index.ts';
import { FAMILIES, type Family, type FamilyName, type LabelsOf, type NameOf } from './families.ts';

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** The end of the label `le` of each bucket, by the bounds of a histogram: there are few lists of bounds, and thousands of histograms have the same. */
const edges = new WeakMap<readonly number[], string[]>();

/**
 * One answer in the text format of Prometheus, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format). A family without a series is left out.
 */
export class Exposition {
  /** The lines of each family. They are thousands: one text that grows costs half of what a list of lines does. */
  private readonly lines = new Map<FamilyName, string>();

  /** Adds a series of a counter or gauge. Each combination of labels MUST be added once. */
  add<N extends NameOf<'counter' | 'gauge'>>(name: N, labels: LabelsOf<N>, value: number): void {
    this.append(name, `${name}${braced(pairsOf(name, labels as readonly string[]))} ${numberText(value)}\n`);
  }

  /** Adds a series of a histogram: its cumulative buckets, sum and count. */
  addHistogram<N extends NameOf<'histogram'>>(name: N, labels: LabelsOf<N>, { bounds, counts, sum }: HistogramReading): void {
    const pairs = pairsOf(name, labels as readonly string[]);
    const bucket = pairs === '' ? `${name}_bucket{le="` : `${name}_bucket{${pairs},le="`;
    const ends = edgesOf(bounds);
    let text = '';
    let total = 0;
    for (let i = 0; i < ends.length; i++) {
      total += counts[i] as number;
      text += `${bucket}${ends[i]}${total}\n`;
    }
    const rest = braced(pairs);
    this.append(name, `${text}${name}_sum${rest} ${numberText(sum)}\n${name}_count${rest} ${total}\n`);
  }

  /** The answer as a whole. */
  text(): string {
    let text = '';
    for (const [name, { help, type }] of Object.entries(FAMILIES) as [FamilyName, Family][]) {
      const lines = this.lines.get(name);
      if (lines !== undefined) text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n${lines}`;
    }
    return text;
  }

  private append(name: FamilyName, lines: string): void {
    this.lines.set(name, (this.lines.get(name) ?? '') + lines);
  }
}

function edgesOf(bounds: readonly number[]): string[] {
  let texts = edges.get(bounds);
  if (texts === undefined) {
    texts = [...bounds, '+Inf'].map((bound) => `${bound}"} `);
    edges.set(bounds, texts);
  }
  return texts;
}

function pairsOf(name: FamilyName, values: readonly string[]): string {
  const { labels }: Family = FAMILIES[name];
  let pairs = '';
  for (let i = 0; i < labels.length; i++) pairs += `${i === 0 ? '' : ','}${labels[i]}="${escapeLabel(values[i] as string)}"`;
  return pairs;
}

function braced(pairs: string): string {
  return pairs === '' ? '' : `{${pairs}}`;
}

const ESCAPED: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };
const HARMLESS = /^[\w .:/@~-]*$/;

/** Lone surrogates, which UTF-8 has no form for, become the replacement character. */
function escapeLabel(text: string): string {
  return HARMLESS.test(text) ? text : text.toWellFormed().replaceAll(/[\\"\n]/g, (character) => ESCAPED[character] as string);
}

function escapeHelp(text: string): string {
  return text.replaceAll(/[\\\n]/g, (character) => ESCAPED[character] as string);
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
