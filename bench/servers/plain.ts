import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ready } from './ready.ts';

/* Answers every request with a small JSON document. */
const body = JSON.stringify({ id: 4711, name: 'a page', tags: ['one', 'two'], price: 9.5 });
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body);
});
server.listen(0, '127.0.0.1', () => ready((server.address() as AddressInfo).port));
