import { connect } from 'node:net';

/** Looks again and again, each time with a request. */
export async function reach(look: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 2000; i++) if (await look()) return;
  throw new Error(`it never came to that: ${look}`);
}

/** Sends bytes as they are, and reads until the connection has ended, one way or the other. */
export function answerTo(port: number, bytes: string): { text: () => string; over: Promise<'ended' | 'reset'> } {
  const socket = connect(port, '127.0.0.1');
  let [text, isReset] = ['', false];
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.on('error', () => {
    isReset = true;
  });
  socket.write(bytes);
  return { text: () => text, over: new Promise((resolve) => socket.once('close', () => resolve(isReset ? 'reset' : 'ended'))) };
}
