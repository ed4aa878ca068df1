import type { Attack } from './attack.ts';

/** What the client knows of a pipeline, from the answers that it got. */
export interface KnownPipeline {
  readonly id: string;
  stages: readonly string[];
  /** What its items are to be; null: anything. */
  attack: Attack | null;
  /** Ids of items that were acknowledged. */
  readonly items: Set<string>;
  /** Of those, some that have failed when it was looked last. */
  readonly failed: string[];
  /** Of feeds that were acknowledged. */
  readonly feeds: Set<string>;
  /** Its definition lets finished items go. */
  isRetiring: boolean;
  /** Items may have been run again as new ones: then more has ended than is there. */
  hasReruns: boolean;
  /** Failed items may have been put back. */
  hasRetries: boolean;
  /** Its stages may have been replaced, and their counters with them. */
  wasRedefined: boolean;
  isDraining: boolean;
}

export interface Known {
  readonly pipelines: Map<string, KnownPipeline>;
  /** Ids of pipelines that a request on the way makes, replaces or removes: what is answered about them meanwhile may be about another of the name. */
  readonly changing: Set<string>;
  /** Of those, the ones of which items may have been put back, or run again, by a request that was answered first. */
  readonly meanwhile: { readonly retries: Set<string>; readonly reruns: Set<string> };
}

/** What is told of a definition that was taken. */
export interface DefinitionFacts {
  id: string;
  stages: readonly { name: string }[];
  retention?: unknown;
}

export function pipelineOf({ id, stages, retention }: DefinitionFacts, attack: Attack | null): KnownPipeline {
  return {
    id,
    stages: stages.map(({ name }) => name),
    attack,
    items: new Set(),
    failed: [],
    feeds: new Set(),
    isRetiring: retention !== undefined,
    hasReruns: false,
    hasRetries: false,
    wasRedefined: false,
    isDraining: false,
  };
}
