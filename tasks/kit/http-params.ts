import { z } from 'zod';
import type { Fault } from '../../src/schemas/problem.ts';
import type { HttpClient } from './http-client.ts';

export const methodSchema = z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export const urlSchema = z.string().min(1).max(16_384).meta({ description: 'The URL, `http:` or `https:`.' });

/** The fault of a `url` without templates that can never be fetched. */
export function addressFaults({ faultOf }: HttpClient, given: unknown): Fault[] {
  const { url } = (typeof given === 'object' && given !== null ? given : {}) as { url?: unknown };
  const why = typeof url !== 'string' || url === '' || url.includes('{{') ? null : faultOf(url);
  return why === null ? [] : [{ path: '/url', message: `can never be fetched: ${why}` }];
}

export const headersSchema = z
  .record(
    z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,256}$/, 'must be the name of a header'),
    z.union([
      z
        .string()
        .max(16_384)
        .regex(/^[^\p{Cc}]*$/u, 'must have no control character'),
      z.number(),
      z.boolean(),
    ]),
  )
  .default({})
  .meta({ description: 'Headers of the request. Without a `user-agent`, it is `sluice/` and the version.' });

export const timeoutSchema = z.number().min(0.001).max(86_400);

/** A text is sent as it is, anything else as JSON. */
export function encodeBody(
  body: unknown,
  given: Record<string, string | number | boolean>,
): { body: string | undefined; headers: Record<string, string> } {
  const headers = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, String(value)]));
  if (body === undefined) return { body: undefined, headers };
  if (typeof body === 'string') return { body, headers };
  const hasType = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  return { body: JSON.stringify(body), headers: hasType ? headers : { ...headers, 'content-type': 'application/json' } };
}
