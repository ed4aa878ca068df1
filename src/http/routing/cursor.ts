import { z } from 'zod';
import { SluiceError } from '../../engine/index.ts';

/** The state of a list between two pages: the list, its filters, and the place to continue from. */
const cursorSchema = z.strictObject({ list: z.string(), filters: z.string(), after: z.union([z.int(), z.string()]) });

export interface CursorScope {
  /** The list's address, such as `/pipelines/thumbnails/results`. */
  list: string;
  filters?: object;
}

const filtersOf = (scope: CursorScope): string => JSON.stringify(scope.filters ?? {});

/** Opaque to callers, and of use only to the list that gave it. Null when there is nothing more. */
export function encodeCursor(scope: CursorScope, after: number | string | null): string | null {
  if (after === null) return null;
  return Buffer.from(JSON.stringify({ list: scope.list, filters: filtersOf(scope), after })).toString('base64url');
}

/** Where to go on; undefined without a cursor. Throws `invalid-cursor` for one of another list or of other filters. */
export function decodeCursor(scope: CursorScope, cursor: string | undefined): number | string | undefined {
  if (cursor === undefined) return undefined;
  const parsed = cursorSchema.safeParse(readJson(cursor));
  if (!parsed.success) throw new SluiceError('invalid-cursor', 'The cursor is invalid.');
  if (parsed.data.list !== scope.list) throw new SluiceError('invalid-cursor', 'The cursor belongs to another list.');
  if (parsed.data.filters !== filtersOf(scope)) throw new SluiceError('invalid-cursor', 'The cursor was issued for other filters.');
  return parsed.data.after;
}

function readJson(cursor: string): unknown {
  const bytes = Buffer.from(cursor, 'base64url');
  // The decoder passes over what is no base64url; a cursor that was not given out letter by letter is none.
  if (bytes.toString('base64url') !== cursor) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
