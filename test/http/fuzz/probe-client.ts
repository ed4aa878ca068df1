import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { ProbeReading } from './probe.ts';

/** Where the preload of a service is found. */
export const PROBE = new URL('./probe.ts', import.meta.url).href;

/** Asks the probe of a service what it has measured since it was asked last. */
export async function readProbe(path: string): Promise<ProbeReading> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    socket.write('\n');
    const [line] = (await once(createInterface(socket), 'line')) as [string];
    return JSON.parse(line) as ProbeReading;
  } finally {
    socket.destroy();
  }
}
