/** A change that an operator has made. */
export interface OperatorChange {
  /** The kind of change, as the event `pipeline` calls it. */
  change: string;
  /** null for a change that concerns no single pipeline. */
  pipelineId: string | null;
  stage: string | null;
  /** Both hold what was changed and no secret, and are bounded in size; null where there was or is nothing. They are equal if nothing had to be changed. */
  before: unknown;
  after: unknown;
}

/** The person or program that asks for a change. A change without an operator is the embedder's own, and names nobody. */
export interface Operator {
  /** The name of an API key or of a signal; null for a caller without a key. */
  readonly by: string | null;
  /** Told of the change once it is made, before it is stored. It MUST NOT throw. */
  note?(change: OperatorChange): void;
}

/** The part of an event that says what an operator has done. */
export interface OperatorTrace {
  by: string | null;
  before: unknown;
  after: unknown;
}
