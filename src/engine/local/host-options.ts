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
  /** How many events each pipeline keeps, for resuming readers and item histories. */
  eventsKept: number;
  hookTimeoutSeconds: number;
  /** Where everything is kept; without it, everything ends with the process. */
  store?: Store;
  /** Where pages of lists and documents with all results end, see sizes.ts. */
  pageCharacters?: number;
  documentCharacters?: number;
  /** What an item may take as it is fed, and a result of a task, as JSON in UTF-8; at most 128 MiB. Default 16 MiB. */
  maxValueBytes?: number;
  /** An item that was running in so many processes that crashed is not tried again. Default 5. */
  maxDeliveries?: number;
  /** How many items of a stage's queue are kept in memory at most, the others in the store; by default by what they take. */
  queueWindow?: number;
}
