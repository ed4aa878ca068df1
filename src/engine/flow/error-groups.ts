import { createHash } from 'node:crypto';
import type { ErrorGroup, ErrorGroups } from '../../schemas/error-groups.ts';
import type { ItemError } from '../../schemas/item.ts';
import { foldText } from '../values/folded-text.ts';

/** So much of a message is folded: messages that differ only behind it are of one group. */
const FOLDED_CHARACTERS = 1000;
/** The most groups; failures of further ones are counted together. */
const GROUPS_MAX = 1000;
/** So many of the newest items are remembered, since some of them may be retried, … */
const IDS_KEPT = 20;
/** … and so many are told. */
const IDS_TOLD = 5;

/** The group of an error: the same for all that differ only in what varies from item to item, and in every life of the pipeline. */
export function groupOf({ stage, type, message }: Pick<ItemError, 'stage' | 'type' | 'message'>): string {
  const folded = foldText(message.slice(0, FOLDED_CHARACTERS));
  return createHash('sha256')
    .update(JSON.stringify([stage, type, folded]))
    .digest('base64url')
    .slice(0, 12);
}

/** A failed item, as far as its group needs it. `at`: when it failed, in milliseconds since the Unix epoch. */
export interface Failed {
  readonly id: string;
  readonly error: ItemError;
  readonly at: number;
}

interface Group {
  readonly type: string;
  readonly stage: string;
  sample: string;
  count: number;
  firstAt: number;
  /** The newest last. */
  newest: { id: string; at: number }[];
  lastAt: number;
}

/**
 * Counts failed items by group, in bounded memory. While failures are counted apart from all groups, no group is begun: so one that is there has all of its failures.
 */
export class GroupTally {
  private readonly groups = new Map<string, Group>();
  private otherCount = 0;
  private readonly most: number;

  constructor(most = GROUPS_MAX) {
    this.most = most;
  }

  add({ id, error, at }: Failed): void {
    const { groups } = this;
    const key = groupOf(error);
    let group = groups.get(key);
    if (group === undefined) {
      if (this.otherCount > 0 || groups.size >= this.most) {
        this.otherCount++;
        return;
      }
      group = { type: error.type, stage: error.stage, sample: error.message, count: 0, firstAt: at, newest: [], lastAt: at };
      groups.set(key, group);
    }
    group.count++;
    group.firstAt = Math.min(group.firstAt, at);
    group.newest.push({ id, at });
    if (at >= group.lastAt) {
      group.lastAt = at;
      group.sample = error.message;
    } else group.newest.sort((a, b) => a.at - b.at);
    if (group.newest.length > IDS_KEPT) group.newest.shift();
  }

  /** Takes back what was added, since the item runs again or is no longer kept. */
  remove({ id, error }: Pick<Failed, 'id' | 'error'>): void {
    const key = groupOf(error);
    const group = this.groups.get(key);
    if (group === undefined) {
      this.otherCount--;
      return;
    }
    group.count--;
    if (group.count === 0) this.groups.delete(key);
    const at = group.newest.findIndex((one) => one.id === id);
    if (at < 0) return;
    group.newest.splice(at, 1);
    group.lastAt = group.newest.at(-1)?.at ?? group.lastAt;
  }

  /** The groups with the most failures. `stage`: of this stage alone. */
  view(limit: number, stage?: string): ErrorGroups {
    const all = [...this.groups].filter(([, group]) => stage === undefined || group.stage === stage);
    all.sort(([a, one], [b, other]) => other.count - one.count || (a < b ? -1 : 1));
    const rest = all.slice(limit).reduce((sum, [, { count }]) => sum + count, 0);
    return { groups: all.slice(0, limit).map(([group, counted]) => viewOf(group, counted)), otherCount: rest + this.otherCount };
  }
}

function viewOf(group: string, { type, stage, sample, count, firstAt, lastAt, newest }: Group): ErrorGroup {
  const itemIds = newest
    .slice(-IDS_TOLD)
    .reverse()
    .map(({ id }) => id);
  return { group, type, stage, sample, count, firstAt: instantOf(firstAt), lastAt: instantOf(lastAt), itemIds };
}

function instantOf(at: number): string {
  return new Date(at).toISOString();
}
