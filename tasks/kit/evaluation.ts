/*
 * Messages between the service and its evaluator processes. Expressions and large values are evaluated apart, in
 * child processes, because only a process has a memory limit that holds: a worker thread whose heap is full takes the whole process
 * with it as soon as one allocation is larger than what `resourceLimits` leaves free.
 */

/** Bounds of an evaluation. Whoever runs into one has a message that names it. */
export const EVALUATION_LIMITS = {
  /** Limit of the heap of an evaluator. */
  memoryMb: 64,
  /** Limit of one text that an expression creates. */
  textCharacters: 16_777_216,
  /** Members of one sequence. */
  sequence: 1_000_000,
  /** Nested calls. */
  stack: 2000,
  /** Limits of the input and the output, see `weightOf`. */
  inputWeight: 16_777_216,
  outputWeight: 8_388_608,
} as const;

export type WorkKind = 'expression' | 'schema';

/** One thing to evaluate over many inputs: an expression, or a schema. Its identity is that of its queue. */
export interface Work {
  readonly kind: WorkKind;
  /** The text of the expression; the JSON of the schema. */
  readonly source: string;
  readonly timeoutMs: number;
}

export interface ExpressionInput {
  input: unknown;
  bindings: Record<string, unknown> | undefined;
}

/** To an evaluator: calls that it answers in this order. */
export interface Batch {
  works: readonly Work[];
  /** Each with the index of its work. */
  calls: readonly { work: number; input: unknown }[];
}

export type Answer = { ok: true; value: unknown; ms: number } | { ok: false; message: string; ms: number };

/** From an evaluator: answers in the order of the calls, as many as there are by now. The first message, when it can begin, has none. */
export interface Answers {
  answers: Answer[];
  /** Processor time that the process has used by now, in milliseconds. */
  cpuMs: number;
}
