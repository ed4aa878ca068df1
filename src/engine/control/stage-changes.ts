import { isDeepStrictEqual } from 'node:util';
import type { StageDefinition } from '../../schemas/definition.ts';
import type { MovedItems, StageChange } from '../../schemas/redefinition.ts';
import type { Core } from '../flow/core.ts';
import type { Stage } from '../model/model.ts';

/** Tells what a new definition means for the stages of a pipeline, and changes nothing: for who carries it out, and for who only asks. */

/** The changes that the new definitions of the stages make. `match`: as {@link matchStages} gives them. */
export function stageChanges(
  before: readonly Stage[],
  match: readonly (Stage | null)[],
  definitions: readonly StageDefinition[],
): StageChange[] {
  const changes = definitions.flatMap((definition, i): StageChange[] => {
    const stage = match[i] ?? null;
    const { name } = definition;
    if (stage === null) return [{ stage: name, change: 'added' }];
    const renamed: StageChange[] = stage.name === name ? [] : [{ stage: name, change: 'renamed', from: stage.name }];
    if (stage.isRemoved) return [...renamed, { stage: name, change: 'added' }];
    const fields = changedFields(stage.spec.definition, definition);
    return fields.length === 0 ? renamed : [...renamed, { stage: name, change: 'changed', fields }];
  });
  const removed = before.filter((stage) => !match.includes(stage)).map((stage): StageChange => ({ stage: stage.name, change: 'removed' }));
  return [...changes, ...removed, ...reordered(before, match, definitions)];
}

/** Where the items of the stages that would be removed would go, by where they are now. */
export function expectedMoves(
  before: readonly Stage[],
  match: readonly (Stage | null)[],
  definitions: readonly StageDefinition[],
): MovedItems[] {
  return before
    .filter((stage) => !match.includes(stage))
    .map((stage) => {
      const next = before.slice(stage.index + 1).find((other) => match.includes(other));
      const to = next === undefined ? null : (definitions[match.indexOf(next)]?.name ?? null);
      const held = stage.workers.filter(({ item }) => item !== null);
      // Those whose task has not begun leave at once, with those that wait.
      const begun = held.filter(({ blocked, isAssigned, limitWait }) => blocked !== null || !(isAssigned || limitWait !== null));
      return { from: stage.name, to, items: stage.waiting + stage.parked + held.length - begun.length, running: begun.length };
    });
}

/** The stages that go on, by the place of their new definition: those of the same name, and those that were renamed. */
export function matchStages({ stages: before, leaving }: Core, definitions: readonly StageDefinition[]): (Stage | null)[] {
  // One that is added again after its last item has left is a new one, as it is after a restart.
  const byName = new Map([...leaving.filter((stage) => stage.isBusy), ...before].map((stage) => [stage.name, stage]));
  const match = definitions.map(({ name }) => byName.get(name) ?? null);
  const stays = new Set(match);
  const precedingOld = (stage: Stage): Stage | null => before.slice(0, stage.index).findLast((other) => stays.has(other)) ?? null;
  const precedingNew = (i: number): Stage | null => match.slice(0, i).findLast((other) => other !== null && stays.has(other)) ?? null;
  const renamed = new Set<Stage>();
  return match.map((stage, i) => {
    if (stage !== null) return stage;
    const tasks = definitions[i]?.tasks;
    const old = before.find(
      (candidate) =>
        !stays.has(candidate) &&
        !renamed.has(candidate) &&
        precedingOld(candidate) === precedingNew(i) &&
        isDeepStrictEqual(candidate.spec.definition.tasks, tasks),
    );
    if (old !== undefined) renamed.add(old);
    return old ?? null;
  });
}

/** The former names of the stages that the definition only renames, by their new ones. */
export function renamedStages(core: Core, definitions: readonly StageDefinition[]): Map<string, string> {
  const match = matchStages(core, definitions);
  const pairs = definitions.map(({ name }, i): [string, string] => [name, match[i]?.name ?? name]);
  return new Map(pairs.filter(([name, before]) => name !== before));
}

export function changedFields(old: StageDefinition, fresh: StageDefinition): string[] {
  const fields = new Set([...Object.keys(old), ...Object.keys(fresh)] as (keyof StageDefinition)[]);
  fields.delete('name');
  return [...fields].filter((field) => !isDeepStrictEqual(old[field], fresh[field]));
}

/** The stages outside the longest run of those that kept their order. */
function reordered(before: readonly Stage[], match: readonly (Stage | null)[], definitions: readonly StageDefinition[]): StageChange[] {
  const stays = definitions.flatMap(({ name }, i) => {
    const place = before.indexOf(match[i] as Stage);
    return place < 0 ? [] : [{ name, place }];
  });
  const kept = new Set(longestAscending(stays.map(({ place }) => place)));
  return stays.filter(({ place }) => !kept.has(place)).map(({ name: stage }) => ({ stage, change: 'reordered' as const }));
}

function longestAscending(numbers: readonly number[]): number[] {
  const best: number[][] = [];
  for (const [i, number] of numbers.entries()) {
    let longest: number[] = [];
    for (let j = 0; j < i; j++) {
      const run = best[j] as number[];
      if ((numbers[j] as number) < number && run.length > longest.length) longest = run;
    }
    best.push([...longest, number]);
  }
  return best.reduce((longest, run) => (run.length > longest.length ? run : longest), []);
}
