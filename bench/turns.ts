import { median } from './row.ts';
import { startServer } from './servers/child.ts';

/** Does its work once and gives what that cost, in milliseconds. */
export type Contestant = () => Promise<number>;

/**
 * Costs of each contestant, one a round. In a round each has one turn, in an order that moves on by one from round to round, so that what
 * slows the machine down for a while slows all of them. The first round warms them up and is not counted.
 */
export async function inTurns<N extends string>(
  contestants: Readonly<Record<N, Contestant>>,
  rounds: number,
): Promise<Record<N, number[]>> {
  const names = Object.keys(contestants) as N[];
  const costs = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<N, number[]>;
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round) % names.length] as N;
      const cost = await contestants[name]();
      if (round > 0) costs[name].push(cost);
    }
  }
  return costs;
}

/** A file of `servers/` with its arguments, and the flags of its Node where they are not the service's. Told `round`, it answers with what that cost. */
export interface Entry {
  file: string;
  args: readonly string[];
  flags?: readonly string[];
}

/**
 * The same with each contestant in a process of its own: what one makes the compiler and the collector do is not the other's. What the
 * compiler makes of the same code is different from process to process, so `sets` times there are new ones.
 */
export async function inProcesses<N extends string>(
  entries: Readonly<Record<N, Entry>>,
  { sets, rounds }: { sets: number; rounds: number },
): Promise<Record<N, number[]>> {
  const names = Object.keys(entries) as N[];
  const costs = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<N, number[]>;
  for (let set = 0; set < sets; set++) {
    const servers = await Promise.all(names.map((name) => startServer(entries[name].file, entries[name].args, entries[name].flags)));
    const contestants = Object.fromEntries(names.map((name, i) => [name, () => servers[i]?.tell('round') as Promise<number>]));
    const found = await inTurns(contestants as Record<N, Contestant>, rounds);
    for (const name of names) costs[name].push(...found[name]);
    for (const server of servers) await server.stop();
  }
  return costs;
}

/** What the first cost of what the second did, round by round. */
export function ratios(first: readonly number[], second: readonly number[]): number[] {
  return first.map((cost, i) => cost / (second[i] as number));
}

/** The median, and in brackets the least and the most. */
export function spread(values: readonly number[], digits = 2): string {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(digits)} (${least.toFixed(digits)} to ${most.toFixed(digits)})`;
}
