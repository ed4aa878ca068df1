import type { RunRequest, RunStep } from '../contract/requests.ts';
import type { Feed } from '../model/feed.ts';
import type { Ticket } from './answers.ts';
import type { NamedItems } from './named-items.ts';
import type { OpenedRun, RunParts } from './run-stream.ts';
import { Sending } from './sending.ts';

/**
 * A run of which an earlier request has sent a part. What is left is fed first; after that, `steps` give the results of all items, whenever they have
 * ended.
 */
export function resumedRun(
  { core, feeds }: RunParts,
  feed: Feed,
  request: RunRequest,
  ticket: Ticket,
  named: NamedItems,
  steps: AsyncGenerator<RunStep>,
): OpenedRun {
  const sending = new Sending(core, feed, request, ticket);
  const { signal, cancelOnAbort = false } = request;
  const over = (): void => {
    signal?.removeEventListener('abort', gone);
    // Of one that is still sent there is no answer yet.
    if (!feed.isOpen) ticket.leave();
  };
  const gone = (): void => {
    if (!cancelOnAbort) return;
    ticket.forget();
    if (core.feeds.find(feed.id) === feed) void feeds.cancel(feed.id);
  };
  signal?.addEventListener('abort', gone, { once: true });
  if (signal?.aborted) gone();
  return {
    feedId: feed.id,
    isReplay: false,
    isResumed: true,
    push: async (items) => {
      await sending.push(items);
      named.add(items);
    },
    end: async (body) => {
      if (feed.isOpen) sending.finish(body);
      return feed.receipt();
    },
    abort: async () => {
      if (feed.isOpen) sending.breakOff();
      over();
      return feed.receipt();
    },
    read: async () => {
      try {
        const step = (await steps.next()).value as RunStep;
        if (step.kind !== 'results') over();
        return step;
      } catch (error) {
        over();
        throw error;
      }
    },
    leave: over,
  };
}
