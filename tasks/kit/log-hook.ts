import { z } from 'zod';
import type { TaskDeclaration } from '../../src/engine/index.ts';
import { declareHook } from './declaration.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;

const OF_FEED = 'feed done';

export interface LogHookSpec {
  name: string;
  description: string;
  level: (typeof LEVELS)[number];
  message: string;
}

/** A hook that writes one record: which item, where it was, and on request its value; or which feed, with its counts. */
export function declareLogHook(spec: LogHookSpec): TaskDeclaration {
  return declareHook({
    name: spec.name,
    description: spec.description,
    params: z
      .strictObject({
        level: z.enum(LEVELS).default(spec.level).meta({ description: 'The level of the log record.' }),
        message: z
          .string()
          .min(1)
          .max(10_000)
          .optional()
          .meta({ description: `The message of the log record; by default "${spec.message}", or "${OF_FEED}" of a feed.` }),
        includeValue: z.boolean().default(false).meta({ description: 'Whether the record includes the value.' }),
      })
      .meta({ examples: [{ level: 'debug', message: 'done with {{ value.sku }}' }] }),
    prepare:
      ({ level, message, includeValue }) =>
      (itemId, told, info, { pipeline, logger }) => {
        const { feedId, stage } = info;
        if (stage === '') {
          logger[level]({ pipeline, feedId, value: told }, message ?? OF_FEED);
          return;
        }
        const failure = told instanceof Error ? { error: { type: told.name, message: told.message } } : undefined;
        logger[level](
          { pipeline, itemId, ...info, ...failure, ...(includeValue && failure === undefined ? { value: told } : {}) },
          message ?? spec.message,
        );
      },
  });
}
