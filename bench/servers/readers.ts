import { connect, type Socket } from 'node:net';
import { ready } from './ready.ts';

/*
 * Readers of event streams, as cheap as can be: what comes is counted, not parsed. Told `{ port, path, count }` it opens so many and answers
 * when all have got a head; told `pause` the first of them stops reading; asked `bytes` it says what came in all, and the number of the last
 * event of each.
 */
let bytes = 0;
const perSocket: number[] = [];
/** The last two chunks of each, in which the id of its last event stands. */
const tails: [Buffer, Buffer][] = [];
const sockets: Socket[] = [];
process.on('message', (message: { port?: number; path?: string; count?: number } | string) => {
  if (typeof message === 'string') return;
  const { port = 0, path = '/', count = 0 } = message;
  let open = 0;
  for (let i = 0; i < count; i++) {
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET ${path.replace('*', String(i % 10))} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n`),
    );
    const place = perSocket.push(0) - 1;
    tails.push([Buffer.alloc(0), Buffer.alloc(0)]);
    sockets.push(socket);
    socket.once('data', () => {
      if (++open === count) process.send?.('open');
    });
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      (perSocket[place] as number) += chunk.length;
      const tail = tails[place] as [Buffer, Buffer];
      tail[0] = tail[1];
      tail[1] = chunk;
    });
    socket.on('error', () => undefined);
  }
});
ready(0, (message) => {
  if (message === 'bytes') return { bytes, perSocket, lastIds: tails.map(lastId) };
  if (message === 'pause') {
    sockets[0]?.pause();
    return 'paused';
  }
  return null;
});

/** Of the last event that has come whole; 0 before the first. */
function lastId(tail: readonly [Buffer, Buffer]): number {
  const ids = Buffer.concat(tail)
    .toString('latin1')
    .matchAll(/^id: \w+-(\d+)\nevent: .*\ndata: .*\n\n/gm);
  return Number([...ids].at(-1)?.[1] ?? 0);
}
