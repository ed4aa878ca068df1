import { z } from 'zod';
import { PermanentError, RetryAfterError, type TaskDeclaration } from '../src/engine/index.ts';
import { declareTask } from './kit/declaration.ts';
import type { HttpClient } from './kit/http-client.ts';
import type { HttpResponse } from './kit/http-message.ts';
import { addressFaults, encodeBody, headersSchema, methodSchema, timeoutSchema, urlSchema } from './kit/http-params.ts';
import { bigNumbersSchema, bodyOf, printable, responseSchema } from './kit/http-response.ts';
import { retryAfterSeconds } from './kit/retry-after.ts';

const statusesSchema = z.array(z.int().min(100).max(599)).max(500);

const paramsSchema = z
  .strictObject({
    url: urlSchema,
    method: methodSchema.default('GET'),
    headers: headersSchema,
    body: z.unknown().optional().meta({ description: 'The body to send; a string is sent as is, anything else as JSON.' }),
    response: responseSchema,
    bigNumbers: bigNumbersSchema,
    into: z
      .string()
      .min(1)
      .max(256)
      .refine((name) => name !== '__proto__', 'must not be "__proto__"')
      .optional()
      .meta({ description: 'The field of the value, an object, that receives the response. By default the response replaces the value.' }),
    successStatuses: statusesSchema
      .default([])
      .meta({ description: 'Statuses that count as success besides 200 to 299, such as `[404]` to accept a missing page.' }),
    retryStatuses: statusesSchema
      .default([408, 421, 425, 429, 500, 502, 503, 504])
      .meta({ description: 'Statuses that are retried. Any other status that is not a success fails the item at once.' }),
    timeoutSeconds: timeoutSchema.default(30).meta({ description: 'Timeout of the whole exchange, from the connection to the last byte.' }),
    maxBytes: z
      .int()
      .min(0)
      .max(1_073_741_824)
      .default(10_485_760)
      .meta({ description: 'Maximum size of the response body; a larger one fails the item at once.' }),
    maxRedirects: z
      .int()
      .min(0)
      .max(50)
      .default(5)
      .meta({ description: 'Maximum number of redirects to follow; with 0 the redirect itself is the response.' }),
  })
  .meta({
    examples: [
      {
        url: 'https://api.example.com/orders/{{ $encodeUrlComponent(value.id) }}',
        headers: { authorization: 'Bearer {{ secrets.ORDERS }}' },
      },
      { method: 'POST', url: 'https://api.example.com/orders', body: '{{ value }}', response: 'json', into: 'answer' },
    ],
  });

/** The answer of a server that is no success. */
class HttpStatusError extends Error {
  override name = 'HttpStatus';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
class HttpStatusPermanentError extends PermanentError {
  override name = 'HttpStatus';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}
class HttpRetryAfterError extends RetryAfterError {
  override name = 'HttpStatus';
  readonly status: number;
  constructor(status: number, seconds: number, message: string) {
    super(seconds, message);
    this.status = status;
  }
}

/** `mask` takes secrets out of a text: the address may have been made with one, and it is shown. */
export function httpRequest(client: HttpClient, mask: (text: string) => string = (text) => text): TaskDeclaration {
  return declareTask({
    name: 'http_request',
    description:
      'Sends an HTTP request and returns `{ status, headers, body, url }`. Statuses in `retryStatuses` and broken connections are retried, after the server’s `Retry-After` if it sends one that can be read (seconds, also with a fraction, or an HTTP-date), else after the stage’s own wait; other errors fail the item at once. The error of an answer that is no success has the type `HttpStatus` and the status as `status`. Addresses of private networks, loopback and metadata services are refused unless `HTTP_ALLOW_HOSTS` lists them; the same goes for redirects. A redirect to another origin carries `accept`, `accept-encoding`, `accept-language`, `cache-control` and `user-agent`, no other header; it is not followed when that would need a body or another method than GET, HEAD or OPTIONS, when the parameters name a secret, or from `https:` to `http:`. The item’s place in a trace goes along as `traceparent` and `tracestate`, within the origin, unless `headers` has either.',
    params: paramsSchema,
    prefersHands: true,
    lint: (given) => addressFaults(client, given),
    check: ({ method, body }) =>
      body !== undefined && (method === 'GET' || method === 'HEAD') ? [{ path: '/body', message: `cannot be sent with ${method}` }] : [],
    prepare:
      (params, { hasSecrets }) =>
      async (value, context) => {
        const { into, successStatuses, retryStatuses } = params;
        if (into !== undefined && (typeof value !== 'object' || value === null || Array.isArray(value))) {
          throw new PermanentError('"into" requires the value to be an object');
        }
        const answer = await client.send({
          ...params,
          ...encodeBody(params.body, params.headers),
          hasSecrets,
          trace: context.trace,
          log: { to: context.logger, about: { task: 'http_request', stage: context.stage, item: context.itemId } },
          onAbort: (listener) => context.onAbort(listener),
        });
        const { status } = answer;
        if (!(status >= 200 && status < 300) && !successStatuses.includes(status)) throw failureOf(answer, retryStatuses, mask);
        const result = { status, headers: answer.headers, body: bodyOf(answer, params, mask), url: mask(answer.url) };
        return into === undefined ? result : { ...(value as object), [into]: result };
      },
  });
}

function failureOf(answer: HttpResponse, retryStatuses: readonly number[], mask: (text: string) => string): Error {
  const { status, headers, body } = answer;
  const text = printable(body, mask);
  const message = `the server answered ${status}${text === '' ? '' : `: ${text}`}`;
  if (!retryStatuses.includes(status)) return new HttpStatusPermanentError(status, message);
  const seconds = retryAfterSeconds(headers['retry-after'], headers.date, Date.now());
  return seconds === undefined ? new HttpStatusError(status, message) : new HttpRetryAfterError(status, seconds, message);
}
