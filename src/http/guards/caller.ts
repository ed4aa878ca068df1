import type { FastifyReply } from 'fastify';
import { type ApiKey, FEED_OPTIONS, type FeedOption, SCOPES, type Scope } from '../../schemas/api-key.ts';
import type { RequestRate } from '../../schemas/request-rate.ts';

/** Aborts when the client hangs up before its answer is sent. */
export function callerSignal(reply: FastifyReply): AbortSignal {
  const { raw } = reply;
  const controller = new AbortController();
  const onClose = (): void => {
    if (!raw.writableFinished) controller.abort();
  };
  if (raw.destroyed) onClose();
  else raw.once('close', onClose);
  return controller.signal;
}

/** The sender of a request, and its rights. */
export interface Caller {
  /** Name of the key; empty without one. */
  readonly name: string;
  /** Digest of the key; empty without one. */
  readonly sha256Hex: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Only these pipelines; null for all, and what belongs to none. */
  readonly pipelines: ReadonlySet<string> | null;
  readonly feedOptions: ReadonlySet<FeedOption>;
  /** The key itself, to tell it from another of its name; null without one. */
  readonly key: ApiKey | null;
  /** When the key expires, in milliseconds since the Unix epoch; null for never. */
  readonly expiresAt: number | null;
  /** Absent: as many as keys in general may send. */
  readonly requests?: RequestRate;
}

const NO_KEY = { key: null, expiresAt: null };

/** Where no keys are set up. */
export const ANYBODY: Caller = {
  ...{ name: '', sha256Hex: '', ...NO_KEY },
  ...{ scopes: new Set(SCOPES), pipelines: null, feedOptions: new Set(FEED_OPTIONS) },
};
/** The caller of a public route without a valid key, where keys are configured. */
export const NOBODY: Caller = { name: '', sha256Hex: '', scopes: new Set(), pipelines: new Set(), feedOptions: new Set(), ...NO_KEY };

export function may({ scopes }: Caller, scope: Scope): boolean {
  return scopes.has(scope) || scopes.has('admin');
}

/** Whether the caller sees a pipeline at all. */
export function sees({ pipelines }: Caller, id: string): boolean {
  return pipelines === null || pipelines.has(id);
}

/** The name that owns the caller's feeds: keys of the same name are one caller. */
export function makerOf({ name }: Caller): string | undefined {
  return name === '' ? undefined : name;
}

/** The maker whose feeds and items are all that the caller sees; undefined for one who sees those of everybody. */
export function onlyMakerOf(caller: Caller): string | undefined {
  return may(caller, 'read') ? undefined : caller.name;
}
