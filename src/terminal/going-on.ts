import type { FeedCounts } from '../client/index.ts';
import { shellWord } from './shell.ts';

/** Flags of `sluice feed` that its continuation needs too. */
export interface FeedFlags {
  url?: string;
  keyFile?: string;
  json?: boolean;
  resume?: boolean;
  resumeAfter?: FeedCounts;
  append?: boolean;
  stage?: string;
  priority?: number;
  onDuplicate?: 'skip' | 'reject' | 'rerun';
  idField?: string;
  bigNumbers?: 'refuse' | 'lossy';
  follow?: boolean;
}

/** Counts of a feed as one word, for `--resume-after`: `12`, or `12+3` with duplicates. */
const wordOf = ({ total, duplicates }: FeedCounts): string => (duplicates === 0 ? String(total) : `${total}+${duplicates}`);

/** The counts in a word of {@link wordOf}, or undefined. */
export function countsIn(word: string): FeedCounts | undefined {
  const [, total, duplicates = '0'] = /^(\d{1,15})(?:\+(\d{1,15}))?$/.exec(word) ?? [];
  return total === undefined ? undefined : { total: Number(total), duplicates: Number(duplicates) };
}

export interface Interrupted {
  pipeline: string;
  /** `-` is stdin, of which the rest has to come from a file. */
  file: string;
  feedId: string;
  flags: FeedFlags;
  /** The feed before this file; undefined when nothing of the file was sent. */
  before: FeedCounts | undefined;
}

/** The command line that feeds the rest of a file, and no more than that. */
export function goingOn({ pipeline, file, feedId, flags, before }: Interrupted): string {
  const { url, keyFile, json, stage, priority, onDuplicate, idField, bigNumbers, follow } = flags;
  const values = {
    '--stage': stage,
    '--priority': priority,
    '--on-duplicate': onDuplicate,
    '--id-field': idField,
    '--big-numbers': bigNumbers,
    '--url': url,
    '--key-file': keyFile,
  };
  const options = [
    ['--feed', feedId],
    modeOf(flags, before),
    ...Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    follow ? ['--follow'] : [],
    json ? ['--json'] : [],
  ].flat();
  const [quoted, words] = [options.map(shellWord), [shellWord(pipeline), file === '-' ? '<file>' : shellWord(file)]];
  const isLikeOption = [pipeline, file].some((word) => word.startsWith('-') && word !== '-');
  return ['sluice feed', ...(isLikeOption ? [...quoted, '--', ...words] : [...words, ...quoted])].join(' ');
}

/** As long as nothing was sent, the command is the same again: a feed of this id would not be of this file. */
function modeOf({ append, resume, resumeAfter }: FeedFlags, before: FeedCounts | undefined): string[] {
  if (resumeAfter !== undefined) return ['--resume-after', wordOf(resumeAfter)];
  if (resume) return ['--resume'];
  if (before === undefined) return append ? ['--append'] : [];
  return append ? ['--resume-after', wordOf(before)] : ['--resume'];
}
