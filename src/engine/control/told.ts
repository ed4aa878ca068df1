import type { Operator } from '../contract/operator.ts';
import type { Core } from '../flow/core.ts';

interface Told {
  change: string;
  stage?: string | null;
  reason?: string | null;
  before: unknown;
  after: unknown;
}

/** Adds the event of a change, with who asked for it if anybody did, and tells the operator. */
export function tellChange(core: Core, operator: Operator | undefined, told: Told): void {
  const { change, stage = null, reason = null, before, after } = told;
  core.time.tick();
  core.events.pipeline(change, core.state, stage, reason, operator && { by: operator.by, before, after });
  note(core, operator, told);
}

/** The same for a change that has no event unless an operator asks for it. */
export function tellOperated(core: Core, operator: Operator | undefined, told: Told): void {
  if (operator !== undefined) tellChange(core, operator, told);
}

/** Tells an operator that nothing had to be changed; there is no event of it. */
export function tellUnchanged(core: Core, operator: Operator | undefined, told: Omit<Told, 'after'>): void {
  note(core, operator, { ...told, after: told.before });
}

function note(core: Core, operator: Operator | undefined, { change, stage = null, before, after }: Told): void {
  operator?.note?.({ change, pipelineId: core.id, stage, before, after });
}
