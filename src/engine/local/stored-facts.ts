import { LinesOfHistory, type StoredLines } from '../contract/event-lines.ts';
import type { StoredControl, StoredStages, StoreLink } from '../durable/durable.ts';
import type { StoredCounters } from '../durable/figures.ts';
import type { CoreOptions, Identity } from '../flow/core.ts';
import type { Stage } from '../model/model.ts';

export function newIdentity({ specs, ports }: CoreOptions): Identity {
  const stages = Object.fromEntries(specs.map(({ definition }, i) => [definition.name, i + 1]));
  return { idPrefix: ports.uniqueId(), lines: new LinesOfHistory({ epoch: ports.uniqueId() }), stages, lastStage: specs.length };
}

export function identityFrom(facts: Readonly<Record<string, string>>): Identity {
  const { idPrefix, ...lines } = JSON.parse(facts.identity as string) as Pick<Identity, 'idPrefix'> & StoredLines;
  const { lastEvent } = JSON.parse(facts.counters as string) as Pick<StoredCounters, 'lastEvent'>;
  const rows = JSON.parse(facts.stages as string) as StoredStages;
  const stages = Object.fromEntries(rows.filter(({ isRemoved }) => !isRemoved).map(({ name, no }) => [name, no]));
  return { idPrefix, lines: new LinesOfHistory(lines, lastEvent), stages, lastStage: Math.max(...rows.map(({ no }) => no)) };
}

/** The paused stages, and why those are that nobody paused. */
export function pausesOf(stages: readonly Stage[]): Pick<StoredControl, 'pausedStages' | 'pausedReasons'> {
  const paused = stages.filter((stage) => stage.isPaused);
  const reasons = paused.flatMap(({ name, pauseReason }): [string, string][] => (pauseReason === null ? [] : [[name, pauseReason]]));
  return { pausedStages: paused.map(({ name }) => name), pausedReasons: Object.fromEntries(reasons) };
}

export function storedControl({ facts }: StoreLink): StoredControl {
  return { pausedReasons: {}, ...(JSON.parse(facts?.control as string) as Omit<StoredControl, 'pausedReasons'>) };
}
