import type { ErrorGroups } from '../../schemas/error-groups.ts';
import type { ErrorGroupsQuery } from '../contract/runtime.ts';
import type { Core } from '../flow/core.ts';
import { type Failed, GroupTally } from '../flow/error-groups.ts';
import type { GroupLedger } from '../flow/ledger.ts';
import type { Item } from '../model/model.ts';
import { walk } from './walk.ts';

/**
 * The failed items of a pipeline by group. Nothing is counted until somebody asks; then all that are failed are looked at once, and from then on each change is counted
 * as it happens; all are looked at again when the newest of a group have gone, as after a retry of them. While a look is under way, an item behind the place that it
 * has reached is counted with its change, and one before it when it is looked at.
 */
export class FailedGroups implements GroupLedger {
  private readonly core: Core;
  private tally: GroupTally | null = null;
  /** Items up to this one have been looked at. */
  private lookedTo = 0;
  private looking: Promise<GroupTally> | null = null;
  private isLooking = false;

  constructor(core: Core) {
    this.core = core;
  }

  async view(query: ErrorGroupsQuery): Promise<ErrorGroups> {
    if (query.feedId !== undefined) return (await this.ofFeed(query.feedId)).view(query.limit, query.stage);
    if (!this.isLooking && this.tally?.isWorn) this.looking = null;
    this.looking ??= this.lookAtAll();
    return (await this.looking).view(query.limit, query.stage);
  }

  failed(item: Item): void {
    if (item.sequenceId <= this.lookedTo) this.tally?.add(this.failedOf(item));
  }

  goesOn(item: Item): void {
    if (item.error !== null && item.sequenceId <= this.lookedTo) this.tally?.remove({ id: item.id, error: item.error });
  }

  private async lookAtAll(): Promise<GroupTally> {
    const tally = new GroupTally();
    const { core, tally: earlier } = this;
    this.tally = tally;
    this.lookedTo = 0;
    this.isLooking = true;
    core.ledger.groups = this;
    core.index.onFailedGone = (item) => this.goesOn(item);
    try {
      await walk(
        core,
        { status: ['failed'] },
        (item) => tally.add(this.failedOf(item)),
        (to) => {
          this.lookedTo = to;
        },
      );
      if (earlier !== null) tally.succeed(earlier);
    } catch (error) {
      // What cannot be read now is looked at anew, by whoever asks next.
      core.ledger.groups = null;
      core.index.onFailedGone = null;
      this.tally = null;
      this.lookedTo = 0;
      this.looking = null;
      throw error;
    } finally {
      this.isLooking = false;
    }
    return tally;
  }

  private async ofFeed(feedId: string): Promise<GroupTally> {
    const tally = new GroupTally();
    await walk(this.core, { status: ['failed'], feedId }, (item) => tally.add(this.failedOf(item)));
    return tally;
  }

  private failedOf(item: Item): Failed {
    const { id, error, updatedAt } = item;
    if (error === null) throw new TypeError(`the item "${id}" has not failed`);
    return { id, error, at: this.core.time.wall(updatedAt) };
  }
}
