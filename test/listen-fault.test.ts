import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listenFault } from '../src/process/listen-fault.ts';

/** The error that an attempt to listen ends with. */
async function faultOf(host: string, port: number): Promise<NodeJS.ErrnoException> {
  const server = createServer();
  server.listen({ host, port });
  const [error] = await once(server, 'error');
  return error;
}

function thrownBy(call: () => unknown): NodeJS.ErrnoException {
  try {
    call();
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('it threw nothing');
}

describe('the fault of a start', () => {
  it('is explained when it is of the port or the address', async () => {
    const taken = createServer();
    taken.listen(0, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => void taken.close());
    const { port } = taken.address() as AddressInfo;
    expect(listenFault(await faultOf('127.0.0.1', port), `127.0.0.1:${port}`)).toContain('the port is in use');
    expect(listenFault(await faultOf('203.0.113.7', 0), '203.0.113.7:0')).toContain('this machine has no such address');
    expect(listenFault(Object.assign(new Error(), { code: 'EACCES', syscall: 'listen' }), 'x:80')).toContain('above 1023');
  });

  it('is not taken for one of the port when it is of a file', () => {
    const faults = [
      thrownBy(() => mkdtempSync('/proc/sluice-')),
      thrownBy(() => mkdirSync('/dev/null/data')),
      thrownBy(() => readdirSync('/nowhere')),
      ...['mkdir', 'open', 'scandir', 'connect', 'spawn', undefined].map((syscall) =>
        Object.assign(new Error(), { code: 'EACCES', syscall }),
      ),
    ];
    for (const fault of faults)
      expect([fault.syscall, listenFault(fault as NodeJS.ErrnoException, 'x:1')]).toEqual([fault.syscall, undefined]);
  });
});
