/** Definitions one after the other of which some stages are always part, and others come, go and come again, wherever. */
import fc from 'fast-check';
import type { StageDefinitionInput } from '../../src/schemas/definition.ts';

/** These are in each definition, in any order. */
export const ALWAYS = ['A', 'B', 'C'];
const OTHERS = ['X', 'Y'];

/** `task`: the task of all stages, which gets the name of its stage as `step`, how long it takes and how often it fails. A stage has one of two uses of it, in each definition another perhaps; its attempts are the only ones. */
export function shapes(task: string): fc.Arbitrary<StageDefinitionInput[]> {
  return fc
    .subarray(OTHERS)
    .chain((others) =>
      fc.tuple(
        fc.shuffledSubarray([...ALWAYS, ...others], { minLength: ALWAYS.length + others.length }),
        fc.boolean(),
        fc.subarray([...ALWAYS, ...OTHERS]),
      ),
    )
    .map(([names, isSorted, changed]) => (isSorted ? sorted(names) : names).map((name) => stageOf(name, task, changed.includes(name))));
}

/** The others in their places, and those that are always there in the order of the alphabet: between two of these nothing changes its place. */
function sorted(names: readonly string[]): string[] {
  const always = [...ALWAYS];
  return names.map((name) => (ALWAYS.includes(name) ? (always.shift() as string) : name));
}

/** Others take longer and fail more often: they have items in them when they go. */
function stageOf(name: string, task: string, isChanged: boolean): StageDefinitionInput {
  const rest = ALWAYS.includes(name) ? { ms: 5, fails: 0.1 } : { ms: 25, fails: 0.4 };
  return { name, workers: 2, queueCapacity: 2, taskAttempts: 1, tasks: [{ task, with: { step: name, ...rest, isChanged } }] };
}
