/*
 * Bounds of processor time hold on a machine as fast as the one on which they were set. A slower one, or one that shares its cores with
 * others, takes longer for everything; by how much is measured beside what is bounded, by the same work each time.
 */

/** Processor time of {@link REPEATS} times the {@link work} on that machine. */
const REFERENCE_MS = 70;
/** The clock of processor time may count in steps of some milliseconds. */
const REPEATS = 5;
const ROUNDS = 3;

const DOCUMENT = Array.from({ length: 2000 }, (_, i) => ({ id: `item ${i}`, n: i * 7919, list: [i, `${i}`, { deep: i % 13 === 0 }] }));

/** Text, objects, sorting, a plain loop: some of each. */
function work(): number {
  const copies = Array.from({ length: 4 }, () => JSON.parse(JSON.stringify(DOCUMENT)) as typeof DOCUMENT);
  const sorted = copies.flat().sort((a, b) => (a.n % 1009) - (b.n % 1009) || (a.id < b.id ? -1 : 1));
  let sum = 0;
  for (let i = 0; i < 1_000_000; i++) sum = (sum * 31 + (sorted[i % sorted.length] as { n: number }).n) | 0;
  return sum;
}

/** How many times longer than there computing takes here and now; 1 at least. */
export function machinePace(): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const before = process.threadCpuUsage();
    for (let i = 0; i < REPEATS; i++) work();
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1000;
  }).sort((a, b) => a - b);
  return Math.max(1, (times[Math.floor(ROUNDS / 2)] as number) / REFERENCE_MS);
}
