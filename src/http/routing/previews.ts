import { setImmediate as turn } from 'node:timers/promises';
import type { PipelineResult } from '../../schemas/item.ts';
import type { ValuePreview } from '../../schemas/preview.ts';
import { toJsonSafe } from '../schemas/safe-json.ts';

/** A value as the text that it is stored as; one that JSON does not have, as an embedder may feed it, as the nearest that it has. */
export function textOf(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null';
  } catch {
    return JSON.stringify(toJsonSafe(value)) ?? 'null';
  }
}

/** A row with the beginnings of its value and its input in place of them. */
export function withPreviews<T extends { value?: unknown; input?: unknown }>(row: T, characters: number): object {
  const { value, input, ...rest } = row;
  return {
    ...rest,
    ...('value' in row && { valuePreview: previewOf(value, characters) }),
    ...(input !== undefined && { inputPreview: previewOf(input, characters) }),
  };
}

/** Texts this long are made in one turn of the event loop. */
const TURN_BYTES = 256 * 1024;

/** The same of many rows, in turns of the event loop: each value is made a text whole, and together they can be large. */
export async function allWithPreviews(rows: readonly PipelineResult[], characters: number): Promise<object[]> {
  const shown: object[] = [];
  let made = 0;
  for (const row of rows) {
    if (made >= TURN_BYTES) {
      await turn();
      made = 0;
    }
    const preview: Previewed = withPreviews(row, characters);
    made += ROW_BYTES + (preview.valuePreview?.bytes ?? 0) + (preview.inputPreview?.bytes ?? 0);
    shown.push(preview);
  }
  return shown;
}

/** About what it takes apart from its texts. */
const ROW_BYTES = 500;

interface Previewed {
  valuePreview?: ValuePreview;
  inputPreview?: ValuePreview;
}

function previewOf(value: unknown, characters: number): ValuePreview {
  const whole = textOf(value);
  const text = beginningOf(whole, characters);
  return { text, bytes: Buffer.byteLength(whole), complete: text.length === whole.length };
}

/** So many characters at most, none of them half. */
function beginningOf(text: string, characters: number): string {
  const cut = text.slice(0, characters);
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}
