import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Dispatcher } from 'undici';
import { HOP_REFUSED_HEADER } from '../guards/hop.ts';
import type { ClientBody } from './client-body.ts';
import { answerHeaders, ENDS_HERE, NOT_HERE_HEADER } from './hop-headers.ts';
import { RelayedBody } from './relayed-body.ts';

/**
 * How it ended:
 *
 * - `answered`: the client has the whole answer of the owner;
 * - `broken`: it has a part of it, and its connection was cut;
 * - `refused`: nothing of the request was carried out, and its body is whole;
 * - `lost`: nothing was answered, and nobody knows whether it was carried out;
 * - `left`: the client is gone.
 */
export type RelayEnd = 'answered' | 'broken' | 'refused' | 'lost' | 'left';

export interface RelayedRequest {
  request: FastifyRequest;
  reply: FastifyReply;
  path: string;
  headers: string[];
  /** Null when it goes without one. */
  body: ClientBody | null;
  /** The ownership that it is for. */
  epoch: number;
  origin: string;
  /** Called right before the head of the answer is sent; true: the connection ends with it. */
  onHead: () => boolean;
  /** Called when the owner has answered: whether it has taken the signature of this node. */
  onTaken: (isTaken: boolean) => void;
}

/** A defect: undici does not take the request as it is. */
const NOT_TAKEN = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH']);

/**
 * A request on its way to the owner, and the answer on its way back.
 *
 *     connecting ──▶ sending ──▶ answering ──▶ answered
 *         │ refused     │ lost       │ broken
 *         └─────────────┴────────────┴─ client gone: left
 */
export class Relay implements Dispatcher.DispatchHandler {
  readonly epoch: number;
  /** Resolves when it is over; rejects when the request cannot be sent to anybody. */
  readonly ended: Promise<RelayEnd>;
  /** It was refused by an owner that ends, and that takes nothing more. */
  isOwnerEnding = false;
  private readonly given: RelayedRequest;
  private readonly body: RelayedBody | null;
  private controller: Dispatcher.DispatchController | undefined;
  private isAnswering = false;
  private isNotHere = false;
  private isOver = false;
  private resolve: (end: RelayEnd) => void = () => undefined;
  private reject: (error: Error) => void = () => undefined;

  constructor(given: RelayedRequest) {
    this.given = given;
    this.epoch = given.epoch;
    const { promise, resolve, reject } = Promise.withResolvers<RelayEnd>();
    this.ended = promise;
    this.resolve = resolve;
    this.reject = reject;
    this.body = given.body === null ? null : new RelayedBody(given.body);
    // undici is told by its own handler; a stream that nobody listens to would end the process.
    this.body?.on('error', () => undefined);
    given.reply.raw.once('close', this.left);
  }

  send(agent: Dispatcher): Promise<RelayEnd> {
    const { origin, path, headers, request } = this.given;
    agent.dispatch({ origin, path, method: request.method, headers, body: this.body, headersTimeout: 0, bodyTimeout: 0 }, this);
    return this.ended;
  }

  /** The ownership that it is for is over: whoever waits for it is told, or cut off. */
  abandon(): void {
    this.breakOff(new Error('the ownership is over'));
  }

  /** Whether the answer is one that never ends by itself. */
  get isEventStream(): boolean {
    const { raw } = this.given.reply;
    return this.isAnswering && /\bcontent-type: text\/event-stream/i.test((raw as { _header?: string })._header ?? '');
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.isOver) controller.abort(new Error('nobody waits for it any more'));
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    message = '',
  ): void {
    if (status < 200 || this.isOver) return;
    const { request, reply, body, onHead } = this.given;
    this.isNotHere = NOT_HERE_HEADER in headers && body?.isWhole !== false;
    this.isOwnerEnding = this.isNotHere && headers[NOT_HERE_HEADER] === ENDS_HERE;
    if (this.isNotHere) return;
    this.given.onTaken(!(HOP_REFUSED_HEADER in headers));
    body?.release();
    const lines = answerHeaders(textsOf(controller.rawHeaders));
    if (onHead()) lines.push('connection', 'close');
    this.isAnswering = true;
    reply.hijack();
    if (message === '') reply.raw.writeHead(status, lines);
    else reply.raw.writeHead(status, message, lines);
    if (request.method !== 'HEAD') reply.raw.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.isNotHere || this.isOver) return;
    const { raw } = this.given.reply;
    if (raw.write(chunk)) return;
    controller.pause();
    raw.once('drain', () => controller.resume());
  }

  onResponseEnd(): void {
    if (this.isNotHere) {
      this.finish('refused');
      return;
    }
    if (this.isOver) return;
    this.given.reply.raw.end();
    this.finish('answered');
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    if (this.isOver) return;
    const { request, reply } = this.given;
    if (this.isAnswering) this.cut();
    else if (reply.raw.destroyed || (request.raw.destroyed && !request.raw.complete)) this.finish('left');
    else if (this.isNotHere) this.finish('refused');
    else if (NOT_TAKEN.has(error.code ?? '')) this.finish(error);
    else this.finish(this.controller === undefined ? 'refused' : 'lost');
  }

  private readonly left = (): void => this.breakOff(new Error('the client is gone'), 'left');

  private breakOff(error: Error, end?: 'left'): void {
    if (this.isOver) return;
    if (this.isAnswering && end === undefined) this.cut();
    else this.finish(end ?? (this.controller === undefined ? 'refused' : 'lost'));
    this.controller?.abort(error);
  }

  /** Ends the connection in the middle of the answer. In HTTP/1.0 the end of a connection may be that of an answer, so there it is reset. */
  private cut(): void {
    const { request, reply } = this.given;
    const { socket } = reply.raw;
    if (request.raw.httpVersion === '1.0' && socket !== null) socket.resetAndDestroy();
    else reply.raw.destroy();
    this.finish('broken');
  }

  private finish(end: RelayEnd | Error): void {
    if (this.isOver) return;
    this.isOver = true;
    this.given.reply.raw.off('close', this.left);
    this.body?.destroy();
    if (end instanceof Error) this.reject(end);
    else this.resolve(end);
  }
}

/** Names and values as Node writes them: a byte is a character. */
function textsOf(raw: Dispatcher.DispatchController['rawHeaders']): string[] {
  return Array.isArray(raw) ? raw.map((part) => (typeof part === 'string' ? part : part.toString('latin1'))) : [];
}
