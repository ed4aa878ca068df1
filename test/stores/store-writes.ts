import type { PipelineWrites, Writes } from '../../src/engine/store.ts';

/** A transaction in which nothing is written but what is given, of one pipeline. */
export function noWrites(pipeline?: number, given: Partial<PipelineWrites> = {}): Writes {
  const nothing: Omit<PipelineWrites, 'pipeline'> = {
    ...{ items: null, feeds: [], removedFeeds: [], answers: [], removedAnswers: [], ends: null, endsBefore: 0 },
    ...{ emptied: [], removed: [], events: null, eventsBefore: 0, parkedShift: 0, facts: [] },
  };
  return { pipelines: pipeline === undefined ? [] : [{ pipeline, ...nothing, ...given }], created: [], dropped: [] };
}
