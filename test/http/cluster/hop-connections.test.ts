import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { HopConnections } from '../../../src/http/gateway/hop-connections.ts';
import { VirtualClock } from '../../engine/virtual-clock.ts';

const MS = 4000;

function world(count: number) {
  const clock = new VirtualClock();
  const connections = new HopConnections();
  const sockets = Array.from({ length: count }, () => new Socket());
  // Each brings more than one request.
  for (const socket of [...sockets, ...sockets]) connections.note(socket);
  let isOver = false;
  const over = connections.allGone(clock, MS).then(() => {
    isOver = true;
  });
  return { clock, sockets, over, isOver: () => isOver };
}

describe('the wait for other nodes', () => {
  it('is none where none has a connection', async () => {
    await world(0).over;
  });

  it('is over when the last one has closed its own, and leaves no timer', async () => {
    const { clock, sockets, over, isOver } = world(2);
    sockets[0]?.destroy();
    await clock.advance(MS - 1);
    expect(isOver()).toBe(false);
    sockets[1]?.destroy();
    await over;
    expect(clock.pending).toBe(0);
  });

  it('has an end, since a node that is cut off never closes its own', async () => {
    const { clock, isOver } = world(1);
    await clock.advance(MS - 1);
    expect(isOver()).toBe(false);
    await clock.advance(1);
    expect(isOver()).toBe(true);
  });
});
