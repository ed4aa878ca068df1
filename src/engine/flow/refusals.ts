/** The refusals of what is fed. */
import { PRIORITY_MAX } from '../../schemas/names.ts';
import { SluiceError } from '../contract/errors.ts';
import type { Feed } from '../model/feed.ts';
import type { Stage } from '../model/model.ts';

export function shuttingDown(accepted: number): SluiceError {
  return new SluiceError('shutting-down', 'the service is shutting down and accepts no more', {
    retryAfterSeconds: 5,
    details: { accepted },
  });
}

export function checkPriority(priority: number | undefined): void {
  if (priority === undefined || (Number.isInteger(priority) && priority >= 0 && priority <= PRIORITY_MAX)) return;
  const message = `must be a whole number from 0 to ${PRIORITY_MAX}`;
  throw new SluiceError('invalid-input', `priority ${message}`, { errors: [{ path: '/priority', message }] });
}

export function feedExists(feed: Feed, why: string): SluiceError {
  return new SluiceError('feed-exists', `the feed "${feed.id}" ${why}`);
}

export function feedCancelled(feed: Feed): SluiceError {
  return new SluiceError('feed-cancelled', `the feed "${feed.id}" was cancelled`, { details: { accepted: feed.accepted } });
}

export function queueFull(
  needed: number,
  now: { capacity: number; room: number; waitedFor: number; retryAfterSeconds: number },
): SluiceError {
  const { capacity, room, waitedFor, retryAfterSeconds } = now;
  const text =
    needed > capacity
      ? `${needed} items do not fit at once: the backlog holds ${capacity}. Send fewer a request, or feed them as NDJSON`
      : `${needed} items do not fit: the backlog has room for ${room} of ${capacity}${waitedFor > 0 ? `, and ${waitedFor} wait for it already` : ''}`;
  return new SluiceError('queue-full', text, { retryAfterSeconds });
}

/** The stage of this name, the first one without a name. Throws `unknown-stage`. */
export function targetOf(stages: readonly Stage[], name: string | undefined): Stage {
  if (name === undefined) return stages[0] as Stage;
  const stage = stages.find((candidate) => candidate.name === name);
  if (stage !== undefined) return stage;
  const message = `the stage "${name}" was not found`;
  throw new SluiceError('unknown-stage', message, { errors: [{ path: '/targetStage', message }] });
}
