import type { DefinitionLimits } from '../definition/definition.ts';
import type { TaskRegistry } from '../definition/task-registry.ts';
import type { Ports } from '../ports.ts';
import type { Store } from '../store.ts';

export interface LocalHostOptions extends DefinitionLimits {
  registry: TaskRegistry;
  ports: Ports;
  /** Bounds for pipelines that name none of their own. */
  retentionMaxItems: number;
  retentionMaxAgeSeconds: number;
  backlogCapacity: number;
  /** The number of events that each pipeline keeps, for resuming readers and item histories. */
  eventsKept: number;
  hookTimeoutSeconds: number;
  /** The store for everything; without it, everything ends with the process. */
  store?: Store;
  /** The most characters of a page of a list, and of a document with all results; see sizes.ts. */
  pageCharacters?: number;
  documentCharacters?: number;
  /** The most bytes of a fed value or a task's result, as JSON in UTF-8; at most 128 MiB. Default 16 MiB. */
  maxValueBytes?: number;
  /** The number of feeds of a pipeline beyond which the oldest done ones are forgotten. Default 10 000. */
  maxFeeds?: number;
  /** The number of keys that a keyed limiter tells apart at once. Default 100 000. */
  maxLimiterKeys?: number;
  /** The number of idempotency keys that a pipeline keeps with their answers. Default 10 000. */
  maxIdempotencyKeys?: number;
  /** The most characters that are kept of the text of an item's error. Default 4096. */
  maxErrorCharacters?: number;
  /** The number of crashed processes in which an item may have been running; after that it is not tried again. Default 5. */
  maxDeliveries?: number;
  /** The most items of a stage's queue in memory, the others being in the store; by default, it depends on their size. */
  queueWindow?: number;
  /** Whether what pipelines measure is kept for `history`, by a timer of the host. Default false. */
  keepsHistory?: boolean;
  /** The most points of it that all pipelines keep in memory. */
  historyPoints?: number;
}
