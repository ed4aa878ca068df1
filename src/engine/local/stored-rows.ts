import type { ItemError, ItemStatus, ItemSummary, Metadata, PipelineResult, WaitingFor } from '../../schemas/item.ts';
import { SluiceError } from '../contract/errors.ts';
import type { Durable } from '../durable/durable.ts';
import type { Stored } from '../durable/journal.ts';
import { queuedWaitsFor } from '../flow/hold-ups.ts';
import { NO_METADATA } from '../model/metadata.ts';
import { generatedId } from '../model/places.ts';
import { attemptsIn, errorsOf, STATUS_CODES, type StoredError, type StoredItem } from '../store.ts';

const STATUSES = Object.keys(STATUS_CODES) as ItemStatus[];

/** A pipeline as of its last flush. Throws `pipeline-not-found` while nothing of it is stored. */
export function storedOf({ journal, core }: Durable): Stored {
  if (journal.stored === null) throw new SluiceError('pipeline-not-found', `no pipeline "${core.id}"`);
  return journal.stored;
}

/** Makes views of the rows of a pipeline's store, with the names that stages and feeds have there. */
export class StoredRows {
  private readonly durable: Durable;

  constructor(durable: Durable) {
    this.durable = durable;
  }

  idOf({ id, seq }: StoredItem): string {
    return id ?? generatedId(this.durable.items.prefix, seq);
  }

  private feedIdOf({ feed }: StoredItem): string {
    const { core, shelf } = this.durable;
    return core.feeds.byOrdinal(feed)?.id ?? shelf.feed(feed)?.id ?? `feed ${feed}`;
  }

  result(row: StoredItem): PipelineResult {
    const error = errorOf(row);
    return {
      id: this.idOf(row),
      value: error === null ? valueIn(row) : null,
      sequenceId: row.seq,
      metadata: metadataOf(row),
      error,
      feedId: this.feedIdOf(row),
      ...(error === null ? {} : inputIn(row)),
    };
  }

  /** The instant of the last change: by the scale of its wait, where the item waits between two attempts. */
  private updatedIn({ status, updated }: StoredItem): string {
    const { time } = this.durable.core;
    return STATUSES[status] === 'retrying' ? time.instant(time.fromLasting(updated)) : instantOf(updated);
  }

  summary(row: StoredItem): ItemSummary {
    const { attempts, earlier } = attemptsIn(row.attempts);
    const { error, lastError } = errorsIn(row);
    return {
      id: this.idOf(row),
      sequenceId: row.seq,
      feedId: this.feedIdOf(row),
      status: STATUSES[row.status] as ItemStatus,
      stage: this.stageName(row.stage),
      worker: null,
      priority: row.priority,
      attempts,
      totalAttempts: earlier + attempts,
      updatedAt: this.updatedIn(row),
      error,
      lastError,
    };
  }

  waitsFor({ due, stage: no }: StoredItem, { status }: ItemSummary): WaitingFor | null {
    const { time } = this.durable.core;
    if (status === 'retrying' && due !== null) return { reason: 'retry', until: time.instant(time.fromLasting(due)) };
    if (status !== 'queued') return null;
    time.tick();
    return { ...queuedWaitsFor(this.durable.stageOf(no), (at) => time.instant(at)) };
  }

  /** The name of a stage in the store: a new name may not be stored yet. */
  private stageName(no: number): string {
    const { counters, loads } = storedOf(this.durable).figures;
    const at = counters.stages.findIndex(([candidate]) => candidate === no);
    return at < 0 ? this.durable.stageOf(no).name : (loads[at] as (typeof loads)[number]).name;
  }

  stageNumbers(name: string): number[] {
    const { counters, loads } = storedOf(this.durable).figures;
    const there = counters.stages.filter((_, i) => loads[i]?.name === name).map(([no]) => no);
    const former = [...this.durable.formerStages].filter((stage) => stage.name === name).map((stage) => stage.no);
    return [...there, ...former];
  }
}

/** The newest value in a row. An empty text stands for undefined. */
export function valueIn({ value, fed }: StoredItem): unknown {
  const text = value ?? fed;
  return text === null || text === '' ? undefined : JSON.parse(text);
}

/** The value as it was fed, if the row has it. */
export function inputIn({ fed }: StoredItem): { input?: unknown } {
  return fed === null || fed === '' ? {} : { input: JSON.parse(fed) };
}

export function metadataOf({ metadata }: StoredItem): Metadata {
  return metadata === null ? NO_METADATA : JSON.parse(metadata);
}

export function errorOf(row: StoredItem): ItemError | null {
  return errorsIn(row).error;
}

function errorsIn({ error, status }: StoredItem): ReturnType<typeof errorsOf> {
  return errorsOf(error === null ? null : (JSON.parse(error) as StoredError), status);
}

export function instantOf(wall: number): string {
  return new Date(wall).toISOString();
}
