import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { startService } from './app-harness.ts';
import { eventually } from './sse-harness.ts';

describe('a body that is refused before it was read', () => {
  it('leaves no deadline behind that would end the process later', async () => {
    // From the start: the timer by which the service looks at its event loop is among those that are counted before and after.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const service = await startService({ bodyLimitBytes: 1024 });
    await service.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = service.app.server.address() as AddressInfo;
    try {
      const timers = vi.getTimerCount();
      const headers = { 'content-type': 'application/json', 'content-length': 1_000_000 };
      const connection = new Promise((closed) => service.app.server.once('connection', (socket) => socket.once('close', closed)));
      const sending = request({ port, host: '127.0.0.1', path: '/pipelines/p/feed', method: 'POST', agent: false, headers });
      sending.on('error', () => undefined);
      sending.write('{');
      const [answer] = (await once(sending, 'response')) as [IncomingMessage];
      expect(answer.statusCode).toBe(413);
      answer.resume();
      await once(answer, 'close');
      // The server's side of the connection ends too.
      await connection;
      // The next look finds that nobody sends it any more, and then there is nothing left to look for.
      vi.advanceTimersByTime(5000);
      expect(vi.getTimerCount()).toBe(timers);
    } finally {
      vi.useRealTimers();
      await service[Symbol.asyncDispose]();
    }
  });

  it('is given up when it has not come after a minute, and its connection with it', async () => {
    const service = await startService();
    await service.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = service.app.server.address() as AddressInfo;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const headers = { 'content-type': 'application/json', 'content-length': 100 };
      const sending = request({ port, host: '127.0.0.1', path: '/pipelines', method: 'POST', agent: false, headers });
      sending.on('error', () => undefined);
      sending.write('{');
      const answered = once(sending, 'response') as Promise<[IncomingMessage]>;
      // Until the request is there, there is nothing to wait for.
      await eventually(() => vi.getTimerCount() > 0);
      for (let looks = 0; looks <= 12; looks++) vi.advanceTimersByTime(5000);
      const [answer] = await answered;
      expect(answer.statusCode).toBe(408);
    } finally {
      vi.useRealTimers();
      await service[Symbol.asyncDispose]();
    }
  });
});
