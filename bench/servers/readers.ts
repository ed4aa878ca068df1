import { connect, type Socket } from 'node:net';
import { ready } from './ready.ts';

/*
 * Readers of event streams, as cheap as can be: what comes is counted, not parsed. Told `{ port, path, count }` it opens so many and answers
 * when all have got a head; told `pause` the first of them stops reading; asked `bytes` it says what came in all.
 */
let bytes = 0;
const perSocket: number[] = [];
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
    sockets.push(socket);
    socket.once('data', () => {
      if (++open === count) process.send?.('open');
    });
    socket.on('data', (chunk) => {
      bytes += chunk.length;
      (perSocket[place] as number) += chunk.length;
    });
    socket.on('error', () => undefined);
  }
});
ready(0, (message) => {
  if (message === 'bytes') return { bytes, perSocket };
  if (message === 'pause') {
    sockets[0]?.pause();
    return 'paused';
  }
  return null;
});
