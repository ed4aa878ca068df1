import { z } from 'zod';
import { lostDigits, lostIn } from '../../src/schemas/big-numbers.ts';
import { guardJson } from '../../src/schemas/json-guard.ts';
import type { HttpResponse } from './http-message.ts';
import { BrokenResponseError, RefusedResponseError } from './http-trouble.ts';

export const responseSchema = z.enum(['auto', 'json', 'text', 'bytes']).default('auto').meta({
  description:
    'What the body of the answer becomes: JSON, a text, or base64. `auto` goes by its content type: JSON, text, and base64 for the rest. JSON is held to the rules of what is fed: UTF-8, at most 64 levels deep, no `__proto__`, no number too large; an answer that breaks one fails the item at once.',
});

/** How much of a body is shown in an error, … */
const SHOWN_CHARACTERS = 200;
/** … and how much of it is looked through for secrets: one that begins in what is shown must be seen whole. */
const MASKED_BYTES = 65_536;

/** The first words of a body, on one line. Masked before it is cut: of half a secret nothing would be recognised. */
export function printable(body: Buffer, mask: (text: string) => string): string {
  return mask(body.subarray(0, MASKED_BYTES).toString('utf8'))
    .slice(0, SHOWN_CHARACTERS * 4)
    .replace(/\s+/g, ' ')
    .replace(/\p{C}/gu, '')
    .slice(0, SHOWN_CHARACTERS)
    .toWellFormed()
    .trim();
}

export const bigNumbersSchema = z.enum(['refuse', 'lossy']).default('lossy').meta({
  description:
    'What becomes of integers in a JSON answer that a number of 64 bits cannot hold, such as 1050118621198921728: `lossy` takes the nearest number, `refuse` fails the item at once. With `response: text` the answer keeps all digits.',
});

/** How an answer is read. */
export interface Reading {
  response: z.infer<typeof responseSchema>;
  bigNumbers: z.infer<typeof bigNumbersSchema>;
}

export function bodyOf({ body, headers }: HttpResponse, { response, bigNumbers }: Reading, mask: (text: string) => string): unknown {
  const [type = ''] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const isJson = /^application\/(?:[\w.+-]+\+)?json$/.test(type.trim());
  if (response === 'bytes') return body.toString('base64');
  if (response === 'json' || (response === 'auto' && isJson)) return jsonOf(body, bigNumbers, mask);
  if (response === 'text' || isText(type.trim())) return textOf(body, headers['content-type']);
  return body.length === 0 ? '' : body.toString('base64');
}

/**
 * An empty body, as a 204 has it, is null. Text that is not JSON may be a page of a proxy in between: it is retried. JSON that could not be
 * fed either is what the server means to send.
 */
function jsonOf(body: Buffer, bigNumbers: Reading['bigNumbers'], mask: (text: string) => string): unknown {
  if (body.length === 0) return null;
  let value: unknown;
  let text: string;
  try {
    // RFC 8259 8.1: in UTF-8, whatever the type says; a byte order mark is skipped.
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    value = JSON.parse(text);
  } catch {
    throw new BrokenResponseError(`the body is not JSON: ${printable(body, mask)}`);
  }
  const fault = guardJson(value);
  if (fault !== null) throw new RefusedResponseError(`the body ${fault}`);
  const lost = bigNumbers === 'refuse' ? lostIn(text) : null;
  if (lost !== null) throw new RefusedResponseError(`the body ${lostDigits(lost)}`);
  return value;
}

function isText(type: string): boolean {
  return type.startsWith('text/') || /^application\/(?:xml|xhtml\+xml|javascript|x-www-form-urlencoded|x-ndjson|yaml)$|\+xml$/.test(type);
}

function textOf(body: Buffer, type: string | undefined): string {
  const label = /charset="?([^\s";]+)/i.exec(type ?? '')?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(label).decode(body).toWellFormed();
  } catch {
    // An encoding that nobody knows: what is ASCII in it can be read all the same.
    return new TextDecoder('utf-8').decode(body);
  }
}
