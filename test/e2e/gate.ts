import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { WhenFinished } from '../loader/folder.ts';

/** A place where a task waits until the test lets it go on: so a test knows that an item runs, and for how long. */
export interface Gate {
  /** What an item takes along for the task {@link GATE_TASK}. */
  readonly url: string;
  /** How many tasks have come to it. */
  readonly visits: number;
  /** Resolves when so many tasks stand before it. */
  arrived(count: number): Promise<void>;
  /** Lets those who wait go on, and all who come later. */
  open(): void;
}

/** A task file: the item goes on when the gate at `value.gate` opens. */
export const GATE_TASK = `export default {
  async run(value, ctx) {
    const response = await fetch(value.gate, { signal: ctx.signal });
    return { passed: await response.text(), attempt: ctx.attempt };
  },
};
`;

export async function createGate(whenFinished: WhenFinished = onTestFinished, host = '127.0.0.1'): Promise<Gate> {
  const waiting: ServerResponse[] = [];
  let isOpen = false;
  let visits = 0;
  let notify: () => void = () => undefined;
  const server = createServer((_request, response) => {
    visits++;
    if (isOpen) response.end('yes');
    else waiting.push(response);
    notify();
  });
  server.listen(0, host);
  await once(server, 'listening');
  whenFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}/`,
    get visits() {
      return visits;
    },
    arrived: (count) =>
      new Promise((resolve) => {
        notify = () => {
          if (waiting.length >= count) resolve();
        };
        notify();
      }),
    open() {
      isOpen = true;
      for (const response of waiting.splice(0)) response.end('yes');
    },
  };
}
