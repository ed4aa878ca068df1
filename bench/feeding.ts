import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/* Feeding one pipeline `p` as fast as it goes, in the two ways that are measured: one body of many lines, and many bodies of one item. */

export const CONNECTIONS = 64;

async function post(port: number, path: string, type: string, body: string | Buffer): Promise<Response> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers: { 'content-type': type }, body });
  if (!response.ok) throw new Error(`answered ${response.status}: ${await response.text()}`);
  return response;
}

/** Items a second, from the first byte of the upload to the last result on disk. */
export async function drainRate(port: number, texts: readonly string[], pipeline = 'p'): Promise<number> {
  const body = Buffer.from(texts.map((text) => `${text}\n`).join(''));
  const before = performance.now();
  const fed = await post(port, `/pipelines/${pipeline}/feed`, 'application/x-ndjson', body);
  const { feedId } = (await fed.json()) as { feedId: string };
  const waited = await post(port, `/pipelines/${pipeline}/feeds/${feedId}/wait?timeoutSeconds=120`, 'application/json', '');
  const { completed } = (await waited.json()) as { completed: number };
  if (completed !== texts.length) throw new Error(`${completed} of ${texts.length} have completed`);
  return texts.length / ((performance.now() - before) / 1000);
}

async function ask(socket: Socket, request: Buffer, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    socket.write(request);
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    if (chunk.subarray(9, 12).toString() !== '202') throw new Error(`answered ${chunk.toString()}`);
  }
}

/** Requests a second, of one item each, over {@link CONNECTIONS} connections. */
export async function feedRate(port: number, text: string, requests: number): Promise<number> {
  const body = Buffer.from(JSON.stringify({ items: [JSON.parse(text)] }));
  const head = `POST /pipelines/p/feed HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`;
  const request = Buffer.concat([Buffer.from(head), body]);
  const sockets = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const socket = connect(port, '127.0.0.1');
      socket.setNoDelay(true);
      await once(socket, 'connect');
      return socket;
    }),
  );
  const before = performance.now();
  await Promise.all(sockets.map((socket) => ask(socket, request, requests / CONNECTIONS)));
  const seconds = (performance.now() - before) / 1000;
  for (const socket of sockets) socket.destroy();
  return requests / seconds;
}
