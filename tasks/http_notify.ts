import { z } from 'zod';
import { describeThrown, type TaskDeclaration } from '../src/engine/index.ts';
import { declareHook } from './kit/declaration.ts';
import type { HttpClient } from './kit/http-client.ts';
import { addressFaults, encodeBody, headersSchema, methodSchema, timeoutSchema, urlSchema } from './kit/http-params.ts';

/** An answer is looked at for its status alone. */
const ANSWER_MAX_BYTES = 1_048_576;

/** `mask` takes secrets out of a text: of an error goes out what everybody sees of it. */
export function httpNotify(client: HttpClient, mask: (text: string) => string = (text) => text): TaskDeclaration {
  const shown = (error: Error): object => {
    const { type, message } = describeThrown(error, mask);
    return { type, message };
  };
  return declareHook({
    name: 'http_notify',
    description:
      'Notifies a URL that an item has left a stage, by a POST of `{ pipeline, stage, itemId, sequenceId, feedId, attempts, metadata, value }`, with `error` in place of `value` if the item failed; or, as `onDone`, that a feed is done, by `{ pipeline, feedId, value }`. The request is sent once and the worker waits for the answer; a failure is logged and does not affect the item. Redirects are followed as by `http_request`: with the body only within the origin.',
    params: z
      .strictObject({
        url: urlSchema,
        method: methodSchema.default('POST'),
        headers: headersSchema,
        body: z.unknown().optional().meta({ description: 'The body to send instead; a string is sent as is, anything else as JSON.' }),
        timeoutSeconds: timeoutSchema.default(10).meta({ description: 'Time after which the hook gives up.' }),
      })
      .meta({ examples: [{ url: 'https://hooks.example.com/orders', headers: { authorization: 'Bearer {{ secrets.HOOKS }}' } }] }),
    prefersHands: true,
    lint: (given) => addressFaults(client, given),
    prepare:
      ({ url, method, headers, body, timeoutSeconds }, { hasSecrets }) =>
      async (itemId, told, info, { pipeline, logger, trace }) => {
        const { stage, sequenceId, feedId, attempts, metadata } = info;
        const outcome = told instanceof Error ? { error: shown(told) } : { value: told };
        const about = stage === '' ? { pipeline, feedId } : { pipeline, stage, itemId, sequenceId, feedId, attempts, metadata };
        const message = body ?? { ...about, ...outcome };
        const { status } = await client.send({
          method,
          url,
          ...encodeBody(message, headers),
          timeoutSeconds,
          maxBytes: ANSWER_MAX_BYTES,
          maxRedirects: 5,
          hasSecrets,
          trace,
          log: { to: logger, about: stage === '' ? { hook: 'http_notify', feed: feedId } : { hook: 'http_notify', stage, item: itemId } },
        });
        if (status < 200 || status >= 300) throw new Error(`${new URL(url).origin} answered ${status}`);
      },
  });
}
