import { PipelineError } from '../contract/errors.ts';

/**
 * The reason for which a pipeline ends while items are unfinished, the later overtaking the earlier: `stop`, an operator wants it stopped; `removal`, it goes; `process`, whatever runs it ends, and
 * the next start goes on.
 */
export type Ending = 'stop' | 'removal' | 'process';

const ORDER: readonly Ending[] = ['stop', 'removal', 'process'];

export const laterOf = (one: Ending, other: Ending): Ending => (ORDER.indexOf(one) > ORDER.indexOf(other) ? one : other);

const SECONDS_UNTIL_BACK = 5;

/** For who waits for items of the pipeline to end. */
export function cutShortBy(ending: Ending, id: string): PipelineError {
  switch (ending) {
    case 'process':
      return new PipelineError('shutting-down', 'the pipeline was shut down before every item had ended', {
        retryAfterSeconds: SECONDS_UNTIL_BACK,
      });
    case 'removal':
      return new PipelineError('pipeline-not-found', `the pipeline "${id}" is being removed, and was stopped before every item had ended`);
    case 'stop':
      return new PipelineError('invalid-state', 'the pipeline was stopped before every item had ended; they go on when it is started');
  }
}

/** For who waits for room in its backlog: at a pipeline that is stopped there comes none. */
export function refusedBy(ending: Ending, id: string): PipelineError {
  switch (ending) {
    case 'process':
      return new PipelineError('shutting-down', 'the pipeline is shutting down', { retryAfterSeconds: SECONDS_UNTIL_BACK });
    case 'removal':
      return new PipelineError('pipeline-not-found', `the pipeline "${id}" is being removed`);
    case 'stop':
      return new PipelineError('queue-full', 'the backlog has no room for the rest, and the pipeline has been stopped', {
        retryAfterSeconds: SECONDS_UNTIL_BACK,
      });
  }
}
