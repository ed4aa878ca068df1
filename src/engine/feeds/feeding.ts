import type { FeedReceipt } from '../../schemas/control.ts';
import type { FeedRequest, FeedWriter, IdempotencyKey, Replayable } from '../contract/requests.ts';
import type { Core } from '../flow/core.ts';
import type { Feed } from '../model/feed.ts';
import { type Answers, expectSameBody, isAnswered, type KeptAnswer, NO_TICKET, type Ticket } from './answers.ts';
import { appendedFeed, openFeed, openWholeFeed, refusalOf, Sending } from './sending.ts';

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
  feed(given: readonly unknown[], request: FeedRequest): Receipt | Promise<Receipt> {
    const items = this.core.admission.check(given, request);
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
      if (feed === undefined) claim.release();
      else {
        feeds.refuse(feed, refusalOf(this.core, error));
        claim.forget();
      }
      throw error;
    };
    try {
      const opened = request.append === true ? appendedFeed(this.core, request) : openWholeFeed(this.core, request, claim);
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
    const { idempotency: key } = request;
    const claim = key === undefined ? NO_TICKET : await this.answers.claim(key, request.signal);
    if (isAnswered(claim)) return repeatedWriter(claim);
    let feed: Feed;
    try {
      feed = request.append === true ? appendedFeed(this.core, request) : openFeed(this.core, request, claim);
    } catch (error) {
      claim.release();
      throw error;
    }
    const sending = new Sending(this.core, feed, request, claim);
    return {
      feedId: feed.id,
      push: (items) => sending.push(items),
      end: async (body) => {
        if (feed.isOpen) {
          sending.finish(body);
          claim.keep(feed.receipt());
        }
        return feed.receipt();
      },
      abort: async () => {
        if (feed.isOpen) sending.breakOff();
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
