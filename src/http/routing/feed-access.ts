import { SluiceError } from '../../engine/index.ts';
import type { FeedOptions } from '../../schemas/control.ts';
import type { PipelineDefinition } from '../../schemas/definition.ts';
import { PRIORITY_DEFAULT } from '../../schemas/names.ts';
import { type Caller, makerOf, may, onlyMakerOf } from '../guards/caller.ts';

/**
 * The rights of a feeding request. A caller that may only feed does not start a stopped pipeline, and chooses its place among
 * the items of others only as the pipeline or its key allows. Throws `forbidden` otherwise.
 */
export function feedingAs(
  caller: Caller,
  { feedOptions = {} }: PipelineDefinition,
  { targetStage, onDuplicate, priority = PRIORITY_DEFAULT }: Pick<FeedOptions, 'targetStage' | 'onDuplicate' | 'priority'>,
): { maker: string | undefined; mayStart: boolean; isOwnOnly: boolean; onlyMaker: string | undefined; isParsed: true } {
  const mayStart = may(caller, 'operate');
  const { priorityMin = PRIORITY_DEFAULT } = feedOptions;
  if (!mayStart) {
    const lacks = (what: string, field: string): SluiceError =>
      new SluiceError(
        'forbidden',
        `the key "${caller.name}" may not ${what} here: neither it nor the pipeline has "${field}" in its feedOptions`,
      );
    const has = caller.feedOptions;
    if (targetStage !== undefined && feedOptions.targetStage !== true && !has.has('targetStage'))
      throw lacks('choose a stage', 'targetStage');
    if (onDuplicate === 'rerun' && feedOptions.rerun !== true && !has.has('rerun')) throw lacks('run items again', 'rerun');
    if (priority < Math.min(PRIORITY_DEFAULT, priorityMin) && !has.has('priority')) {
      throw new SluiceError(
        'forbidden',
        `the key "${caller.name}" may not give a priority below ${Math.min(PRIORITY_DEFAULT, priorityMin)} here`,
      );
    }
  }
  return { maker: makerOf(caller), mayStart, isOwnOnly: !mayStart, onlyMaker: onlyMakerOf(caller), isParsed: true };
}
