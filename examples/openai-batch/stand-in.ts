/**
 * A stand-in for an OpenAI-compatible API, `POST /v1/chat/completions`, that is as slow and as moody as one, and the same each time: how long an
 * answer takes and what it says follows from the review and from how often it was asked about. `GET /report` tells what it has seen.
 *
 *   node examples/openai-batch/stand-in.ts    prints the line {"url": …} when it listens
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as passed } from 'node:timers/promises';
import { about } from './reviews.ts';

/** The latency is distributed log-normally, as those of models are: half of the answers take longer than the median, one in ten more than four times as long. */
const MEDIAN_MS = 60;
const SIGMA = 1.2;
const LONGEST_MS = 1500;
/** One answer takes this long, whoever waits for it. */
const STRAGGLER = 17;
const STRAGGLER_MS = 2500;
/** The one review about which it never says anything of use. */
const HOPELESS = 28;

const CONTEXT_TOKENS = 1000;
/** Beyond what the definition allows itself: whoever keeps to that never meets these. */
const REQUESTS_PER_SECOND = 90;
const RETRY_AFTER_SECONDS = 1;

interface Body {
  user?: string;
  messages: { role: string; content: string }[];
}

/** What was seen of the requests with one `user`. */
interface Report {
  requests: number;
  answered: number;
  /** Answered with a 429, because it was in the mood to. */
  busy: number;
  /** Answered with a 429, because too many came. */
  overLimit: number;
  mostAtOnce: number;
  promptTokens: number;
  completionTokens: number;
}

const reports: Record<string, Report> = {};
const asked = new Map<string, number>();
const recent: number[] = [];
let inFlight = 0;

const server = createServer((request, response) => {
  const answered = request.url === '/report' ? Promise.resolve(send(response, 200, reports)) : complete(request, response);
  answered.catch((error: Error) => send(response, 400, { error: { message: error.message, type: 'invalid_request_error' } }));
});

async function complete(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { user = '', messages } = (await json(request)) as Body;
  reports[user] ??= { requests: 0, answered: 0, busy: 0, overLimit: 0, mostAtOnce: 0, promptTokens: 0, completionTokens: 0 };
  const report = reports[user];
  report.requests++;
  if (request.url !== '/v1/chat/completions') return refuse(response, 404, 'invalid_request_error', `no ${request.url} here`);
  if (request.headers.authorization !== `Bearer ${process.env.STAND_IN_KEY}`)
    return refuse(response, 401, 'invalid_api_key', 'the key is wrong');
  if (isTooMuch()) {
    report.overLimit++;
    return refuse(response, 429, 'rate_limit_exceeded', 'too many requests');
  }
  inFlight++;
  report.mostAtOnce = Math.max(report.mostAtOnce, inFlight);
  try {
    await answer(response, report, user, messages);
  } finally {
    inFlight--;
  }
}

async function answer(response: ServerResponse, report: Report, user: string, messages: Body['messages']): Promise<void> {
  const text = messages.map(({ content }) => content).join('\n');
  const order = Number(/Order (\d+):/.exec(text)?.[1]);
  const index = order - 1000;
  const times = (asked.get(`${user} ${order}`) ?? 0) + 1;
  asked.set(`${user} ${order}`, times);
  const promptTokens = tokensIn(text);
  if (promptTokens > CONTEXT_TOKENS) {
    return refuse(response, 400, 'context_length_exceeded', `the prompt has ${promptTokens} tokens, and the model takes ${CONTEXT_TOKENS}`);
  }
  if (times === 1 && index % 24 === 9) {
    report.busy++;
    return refuse(response, 429, 'rate_limit_exceeded', 'the model is busy');
  }
  await passed(index === STRAGGLER && times === 1 ? STRAGGLER_MS : latencyMs(order, times));
  const content = contentFor(index, messages);
  const completionTokens = tokensIn(content);
  report.answered++;
  report.promptTokens += promptTokens;
  report.completionTokens += completionTokens;
  send(response, 200, {
    object: 'chat.completion',
    model: 'stand-in',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content } }],
    usage: { prompt_tokens: promptTokens, completion_tokens: completionTokens, total_tokens: promptTokens + completionTokens },
  });
}

/** One review in eight is answered badly, until it is told what was wrong: asked the same again, it says the same again. */
function contentFor(index: number, messages: Body['messages']): string {
  const { thing, opinion } = about(index);
  const wasTold = messages.at(-1)?.content.startsWith('Your last answer was refused:') === true;
  if (index === HOPELESS) return '{"sentiment": "it depends"}';
  if (index % 8 !== 3 || wasTold) return JSON.stringify({ sentiment: opinion.sentiment, topics: [thing] });
  return index % 16 === 3
    ? `Sure! The customer is ${opinion.sentiment}.`
    : JSON.stringify({ sentiment: opinion.sentiment.toUpperCase(), topics: [] });
}

/** Log-normal, from two uniform numbers (Box and Muller) that a hash makes of the review and of how often it was asked about. */
function latencyMs(order: number, times: number): number {
  const digest = createHash('sha256').update(`latency ${order} ${times}`).digest();
  const [u, v] = [(digest.readUInt32BE(0) + 1) / 2 ** 32, digest.readUInt32BE(4) / 2 ** 32];
  const normal = Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  return Math.min(LONGEST_MS, MEDIAN_MS * Math.exp(SIGMA * normal));
}

function isTooMuch(): boolean {
  const now = performance.now();
  while (recent.length > 0 && (recent[0] as number) <= now - 1000) recent.shift();
  if (recent.length >= REQUESTS_PER_SECOND) return true;
  recent.push(now);
  return false;
}

function tokensIn(text: string): number {
  return Math.ceil(text.length / 4);
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  if (status === 429) response.setHeader('retry-after', RETRY_AFTER_SECONDS);
  send(response, status, { error: { message, code } });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })}\n`);
});
