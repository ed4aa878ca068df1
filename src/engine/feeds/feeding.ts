import type { FeedReceipt } from '../../schemas/control.ts';
import type { FeedRequest, FeedWriter, IdempotencyKey, Replayable } from '../contract/requests.ts';
import type { Core } from '../flow/core.ts';
import type { Feed } from '../model/feed.ts';
import { type Answers, expectSameBody, isAnswered, type KeptAnswer, NO_TICKET, type Ticket } from './answers.ts';

type Receipt = FeedReceipt & Replayable;

/** Feeds items without waiting for results: all at once, or push by push. */
export class Feeding {
  private readonly core: Core;
  private readonly answers: Answers;

  constructor(core: Core, answers: Answers) {
    this.core = core;
    this.answers = answers;
  }

  /** The receipt, at once where there is room and no key: most feeds are of one item, and a promise costs much of what that does. */
  feed(items: readonly unknown[], request: FeedRequest): Receipt | Promise<Receipt> {
    this.core.admission.check(items, request.onDuplicate);
    const { idempotency: key } = request;
    return key === undefined ? this.admit(items, request, NO_TICKET) : this.feedOnce(items, request, key);
  }

  private async feedOnce(items: readonly unknown[], request: FeedRequest, key: IdempotencyKey): Promise<Receipt> {
    const claim = await this.answers.claim(key, request.signal);
    return isAnswered(claim) ? receiptOf(claim) : this.admit(items, request, claim);
  }

  private admit(items: readonly unknown[], request: FeedRequest, claim: Ticket): Receipt | Promise<Receipt> {
    const { admission, feeds } = this.core;
    let feed: Feed | undefined;
    const refuse = (error: unknown): never => {
      if (feed !== undefined) feeds.refuse(feed);
      claim.release();
      throw error;
    };
    try {
      const opened = admission.openFeed(request);
      feed = opened;
      const admitted = admission.admitAll(items, opened, request, request, (ids) => {
        feeds.close(opened);
        const receipt = opened.receipt(ids);
        claim.accepted(opened.id);
        claim.keep(receipt);
        return receipt;
      });
      return admitted instanceof Promise ? admitted.catch(refuse) : admitted;
    } catch (error) {
      return refuse(error);
    }
  }

  async open(request: FeedRequest): Promise<FeedWriter> {
    const { admission, feeds } = this.core;
    const { idempotency: key } = request;
    const claim = key === undefined ? NO_TICKET : await this.answers.claim(key, request.signal);
    if (isAnswered(claim)) return repeatedWriter(claim);
    let feed: Feed;
    try {
      feed = admission.openFeed(request);
    } catch (error) {
      claim.release();
      throw error;
    }
    return {
      feedId: feed.id,
      push: async (items) => {
        admission.check(items, request.onDuplicate);
        await admission.admitWhenRoom(items, feed, request, true);
        await this.core.keeper.room();
      },
      end: async (body) => {
        if (feed.isOpen) {
          feeds.close(feed);
          claim.accepted(feed.id, body);
          claim.keep(feed.receipt());
        }
        return feed.receipt();
      },
      abort: async () => {
        if (feed.isOpen) {
          feeds.refuse(feed);
          claim.release();
        }
        return feed.receipt();
      },
    };
  }
}

/** The writer of a repeated request: it feeds nothing, and compares the whole body with the first one at its end. */
function repeatedWriter(kept: KeptAnswer): FeedWriter {
  return {
    feedId: kept.feedId,
    push: async () => undefined,
    end: async (body) => {
      expectSameBody(kept.body, body);
      return receiptOf(kept);
    },
    abort: async () => receiptOf(kept),
  };
}

/** The receipt of the first request. It is kept in the turn in which its items are accepted, so it is always there. */
function receiptOf(kept: KeptAnswer): Receipt {
  return { ...(JSON.parse(kept.answer as string) as FeedReceipt), replayed: true };
}
