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

const NEVER = Number.NEGATIVE_INFINITY;

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
  /** The newest of its items, the last of them last: no other has failed later than the first of these. */
  newest: { id: string; at: number }[];
  /** When the newest of those failed that are not among {@link newest}; -Infinity while none has been left out. */
  othersAt: number;
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
      group = { type: error.type, stage: error.stage, sample: error.message, count: 0, firstAt: at, newest: [], othersAt: NEVER };
      groups.set(key, group);
    }
    group.count++;
    group.firstAt = Math.min(group.firstAt, at);
    const { newest } = group;
    if (at < group.othersAt) return;
    const last = newest.at(-1);
    newest.push({ id, at });
    if (last === undefined || at >= last.at) group.sample = error.message;
    else newest.sort((a, b) => a.at - b.at);
    if (newest.length > IDS_KEPT) group.othersAt = newest.shift()?.at ?? group.othersAt;
  }

  /** Whether so many of the newest items of a group were taken back that no more is known of those that are told: all have to be looked at anew. */
  get isWorn(): boolean {
    for (const { count, newest } of this.groups.values()) if (newest.length < Math.min(count, IDS_TOLD)) return true;
    return false;
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
    if (at >= 0) group.newest.splice(at, 1);
  }

  /** Takes over from one of the same items what those do not tell that have gone from a group meanwhile: since when it is there. */
  succeed(earlier: GroupTally): void {
    for (const [key, { firstAt }] of earlier.groups) {
      const group = this.groups.get(key);
      if (group !== undefined) group.firstAt = Math.min(group.firstAt, firstAt);
    }
  }

  /** The groups with the most failures. `stage`: of this stage alone. */
  view(limit: number, stage?: string): ErrorGroups {
    const all = [...this.groups].filter(([, group]) => stage === undefined || group.stage === stage);
    all.sort(([a, one], [b, other]) => other.count - one.count || (a < b ? -1 : 1));
    const rest = all.slice(limit).reduce((sum, [, { count }]) => sum + count, 0);
    return { groups: all.slice(0, limit).map(([group, counted]) => viewOf(group, counted)), otherCount: rest + this.otherCount };
  }
}

function viewOf(group: string, { type, stage, sample, count, firstAt, othersAt, newest }: Group): ErrorGroup {
  const itemIds = newest
    .slice(-IDS_TOLD)
    .reverse()
    .map(({ id }) => id);
  const lastAt = newest.at(-1)?.at ?? othersAt;
  return { group, type, stage, sample, count, firstAt: instantOf(firstAt), lastAt: instantOf(lastAt), itemIds };
}

function instantOf(at: number): string {
  return new Date(at).toISOString();
}
