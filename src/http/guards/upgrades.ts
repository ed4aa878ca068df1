import type { IncomingMessage, ServerResponse as Response } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '../../engine/index.ts';
import { pathOf } from '../problems/path-of.ts';

/** A connection that is no longer one of HTTP. */
export interface Upgrade {
  request: IncomingMessage;
  socket: Socket;
  /** Bytes that came behind the request. */
  head: Buffer;
}

/** The one version of the protocol (RFC 6455 section 4.2.1). */
const VERSION = '13';
/** 16 bytes in base64. */
const KEY = /^[+/0-9A-Za-z]{22}==$/;

// See client-error.ts for why it is not imported.
const { ServerResponse } = process.getBuiltinModule('node:http');

/**
 * Has requests for a WebSocket pass every hook and reach their route like others, as long as their route takes them. A server with a listener for upgrades gets all requests that
 * ask for one, their bodies unread; and some clients ask with each first request for HTTP/2 (`Upgrade: h2c`), which a server may ignore (RFC 9110 section 7.8). So all others are
 * given back to it as if they had not asked. Call it before the routes are registered; the function that it returns is for the handler of such a route.
 */
export function takeUpgrades(app: FastifyInstance): (request: FastifyRequest, reply: FastifyReply) => Upgrade {
  const paths = new Set<string>();
  const asked = new WeakMap<IncomingMessage, Upgrade>();
  app.addHook('onRoute', ({ url, config }) => {
    if (config?.upgrades === true) paths.add(url);
  });

  app.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const { url = '', method, headers } = request;
    if (method !== 'GET' || headers.upgrade?.toLowerCase() !== 'websocket' || !paths.has(pathOf(url))) {
      whenAnswered(socket, () => giveBack(app, { request, socket, head }));
      return;
    }
    // Node has taken its own listener away.
    socket.on('error', () => socket.destroy());
    asked.set(request, { request, socket, head });
    const response: Response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => {
      if (asked.delete(request)) socket.destroySoon();
    });
    app.routing(request, response);
  });

  return ({ raw }, reply) => {
    const upgrade = asked.get(raw);
    if (upgrade === undefined || raw.headers['sec-websocket-version'] !== VERSION) {
      reply.header('upgrade', 'websocket').header('connection', 'upgrade').header('sec-websocket-version', VERSION);
      throw new SluiceError('upgrade-required', 'this address is for hands, which open a WebSocket; the request did not ask for one');
    }
    if (!KEY.test(raw.headers['sec-websocket-key'] ?? ''))
      throw new SluiceError('bad-request', 'the header Sec-WebSocket-Key is missing or invalid');
    asked.delete(raw);
    reply.hijack();
    reply.raw.detachSocket(upgrade.socket);
    noteSwitch(reply.raw);
    return upgrade;
  };
}

/** Has whoever counts and logs answers know of this one, which is written by others. */
function noteSwitch(response: Response): void {
  response.statusCode = 101;
  Object.defineProperty(response, 'headersSent', { value: true });
  response.emit('finish');
  response.emit('close');
}

/** Calls `then` when nothing is under way on a connection: a client may send its next request before it has all answers. */
function whenAnswered(socket: Socket, then: () => void): void {
  const { _httpMessage: answer } = socket as { _httpMessage?: Response | null };
  if (answer) answer.once('finish', () => whenAnswered(socket, then));
  else then();
}

/** Has the server read a request again without its wish for another protocol. */
function giveBack(app: FastifyInstance, { request, socket, head }: Upgrade): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = rawHeaders[i + 1] as string;
    if (/^(?:upgrade|http2-settings)$/i.test(name)) continue;
    lines.push(`${name}: ${/^connection$/i.test(name) ? withoutUpgrade(value) : value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  app.server.emit('connection', socket);
}

function withoutUpgrade(value: string): string {
  const options = value.split(',').map((option) => option.trim());
  return options.filter((option) => !/^(?:upgrade|http2-settings|)$/i.test(option)).join(', ');
}
