import { expect, it } from 'vitest';
import { backboneSuite } from './backbone-suite.ts';
import { logSuite, type ServerUnderTest } from './log-suite.ts';
import { MemoryLogServer } from './memory-log.ts';

async function start(): Promise<ServerUnderTest> {
  const server = new MemoryLogServer();
  return { open: async () => server.open(), dispose: async () => undefined };
}

logSuite('memory', start);
backboneSuite('memory', start);

it('lists no node that has been silent for a minute', async () => {
  let now = 0;
  const { presence } = new MemoryLogServer(() => now).open();
  await presence.announce({ name: 'a', url: '', role: 'owner', position: 1, hands: 0, version: '1', format: 1 });
  now = 59_000;
  expect(await presence.list()).toMatchObject([{ agoSeconds: 59 }]);
  now = 60_000;
  expect(await presence.list()).toEqual([]);
});
