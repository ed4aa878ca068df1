import type { StatusEvent } from '../../../src/schemas/item.ts';
import type { HookKind, Life } from './life.ts';
import { LONGEST_CALLBACK_MS, type Scenario, type StagePlan, skipAnswer } from './scenario.ts';

/**
 * Why a step is not one that the item may take, or null (invariant 10). Only where something was shut down, or a stage has paused
 * itself, may an item go back to its queue without a retry.
 */
export function illegalStep(scenario: Scenario, life: Life, event: StatusEvent, mayGoBack: boolean): string | null {
  const { status, final } = event;
  const { stages } = scenario;
  const stage = stages[life.stage] as StagePlan;
  const isLast = life.stage === stages.length - 1;
  if (life.isFinal && status !== 'queued') return 'it had ended';
  if (status === 'queued') {
    if (life.isFinal) return null;
    if (life.hasLeft) return event.stage === stages[life.stage + 1]?.name ? null : 'that is not the next stage';
    if (event.stage !== stage.name) return 'that is another stage';
    return life.status === 'retrying' || mayGoBack ? null : 'nothing was shut down';
  }
  if (event.stage !== stage.name) return `it is in stage ${stage.name}`;
  if (life.hasLeft) return 'it has left the stage';
  const ends = status === 'failed' || status === 'cancelled' || ((status === 'completed' || status === 'skipped') && isLast);
  if (final !== ends) return final ? 'that is not final' : 'that must be final';
  switch (status) {
    case 'in_progress':
      if (life.status !== 'queued') return 'it was not queued';
      return isToBeSkipped(stage, life) && !mayTimeOut(scenario, stage) ? 'skipIf wants it skipped' : null;
    case 'skipped':
      if (life.status !== 'queued') return 'it was not queued';
      return isToBeSkipped(stage, life) ? hookFault(stage, life, 'onSkip') : 'skipIf does not want it skipped';
    case 'completed':
      if (life.status !== 'in_progress') return 'it did not run';
      return life.task === stage.tasks.length ? hookFault(stage, life, 'onSuccess') : `only ${life.task} of its tasks were done`;
    case 'retrying':
      return life.status === 'in_progress' && life.lastTaskEvent === 'retry' ? null : 'no attempt has failed';
    case 'failed':
      return life.status === 'in_progress' && life.lastTaskEvent === 'fail' ? hookFault(stage, life, 'onFailure') : 'no attempt has failed';
    case 'cancelled':
      return life.isCancelRequested ? null : 'nobody cancelled it';
  }
}

function isToBeSkipped(stage: StagePlan, life: Life): boolean {
  if (life.failures > 0 || life.task > 0) return false;
  return skipAnswer(stage.skipIf, life.stageValue) === 'skip';
}

/** An asynchronous predicate may take longer than it is given: then it is not heard. */
function mayTimeOut({ hookTimeoutSeconds }: Scenario, stage: StagePlan): boolean {
  return stage.skipIf?.pace === 'sleep' && hookTimeoutSeconds * 1000 <= LONGEST_CALLBACK_MS;
}

function hookFault(stage: StagePlan, life: Life, kind: HookKind): string | null {
  const wanted = stage[kind] === undefined ? 0 : 1;
  return life.hooks[kind] === wanted ? null : `${kind} was called ${life.hooks[kind]} times`;
}
