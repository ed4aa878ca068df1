/** For files that share a process: what one leaves listening goes on in the next one, with whatever globals that one has replaced. */
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll, beforeAll } from 'vitest';

/** A socket that is closed is gone in the turn after, or a few later. */
const TURNS = 20;

let before = 0;

function listening(): number {
  return process.getActiveResourcesInfo().filter((name) => name.toLowerCase() === 'tcpserverwrap').length;
}

beforeAll(() => {
  before = listening();
});

afterAll(async () => {
  for (let turns = 0; turns < TURNS && listening() > before; turns++) await turn();
  const left = listening() - before;
  if (left > 0) throw new Error(`${left} servers are left listening after the last test of the file`);
});
