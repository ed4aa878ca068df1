import { type HttpClient, type HttpRequest, type HttpResponse, HttpTimeoutError } from '../../tasks/index.ts';
import { PermanentError } from '../engine/index.ts';
import type { Clock } from '../engine/ports.ts';
import { containsAll } from './contains.ts';
import type { HttpStandIn, Reply } from './fixture.ts';

class UnmatchedRequestError extends PermanentError {
  override name = 'UnmatchedRequest';
}

export interface HttpStandIns extends HttpClient {
  /** How many requests each of the stand-ins has had, in their order. */
  readonly counts: readonly number[];
  /** The requests that match none of them. */
  readonly unmatched: readonly string[];
}

/** Answers requests as the stand-ins of a test say, and sends none. Redirects are not followed: they are answers like others. */
export function createHttpStandIns(standIns: readonly HttpStandIn[], clock: Clock): HttpStandIns {
  const counts = standIns.map(() => 0);
  const unmatched: string[] = [];
  const patterns = standIns.map(({ url }) => globOf(url));
  /** How often an item has asked each of them. */
  const asked = new Map<string, number>();

  function replyTo(request: HttpRequest): Reply {
    const { method, url } = request;
    const index = standIns.findIndex((standIn, i) => matches(standIn, patterns[i] as RegExp, request));
    const standIn = standIns[index];
    if (standIn === undefined) {
      unmatched.push(`${method} ${url}`);
      throw new UnmatchedRequestError(`no stand-in of the test matches ${method} ${url}`);
    }
    counts[index] = (counts[index] as number) + 1;
    const who = `${index} ${(request.log?.about as { item?: string } | undefined)?.item ?? ''}`;
    const times = asked.get(who) ?? 0;
    asked.set(who, times + 1);
    return standIn.replies[Math.min(times, standIn.replies.length - 1)] as Reply;
  }

  return {
    counts,
    unmatched,
    async send(request) {
      const reply = replyTo(request);
      const { timeoutSeconds, url } = request;
      await pass(clock, Math.min(reply.afterSeconds, timeoutSeconds), request.onAbort);
      if (reply.afterSeconds > timeoutSeconds) throw new HttpTimeoutError(`no complete response within ${timeoutSeconds} s`);
      if (reply.error !== undefined) throw new Error(reply.error);
      return responseOf(reply, url);
    },
    faultOf: () => null,
    close: async () => undefined,
  };
}

function matches({ method, body }: HttpStandIn, url: RegExp, request: HttpRequest): boolean {
  if (method !== undefined && method.toUpperCase() !== request.method) return false;
  return url.test(request.url) && (body === undefined || containsAll(bodyOf(request), body));
}

function bodyOf({ body }: HttpRequest): unknown {
  const text = typeof body === 'string' ? body : Buffer.from(body ?? '').toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function globOf(url: string): RegExp {
  return new RegExp(
    `^${url
      .split('*')
      .map((part) => part.replaceAll(/[\\^$.|?+()[\]{}]/g, '\\$&'))
      .join('.*')}$`,
    's',
  );
}

function responseOf({ status, headers, json, text }: Reply, url: string): HttpResponse {
  const type = json === undefined ? 'text/plain' : 'application/json';
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return {
    status,
    headers: { 'content-type': type, ...lower },
    body: Buffer.from(json === undefined ? (text ?? '') : JSON.stringify(json)),
    url,
  };
}

/** Waits on the clock, until `onAbort` tells of a reason to stop. */
export function pass(clock: Clock, seconds: number, onAbort?: HttpRequest['onAbort']): Promise<void> {
  return new Promise((resolve, reject) => {
    if (seconds === 0) return resolve();
    const timer = clock.setTimer(resolve, seconds * 1000);
    onAbort?.((reason) => {
      clock.clearTimer(timer);
      reject(reason);
    });
  });
}
