import { declareLogHook } from './kit/log-hook.ts';

export const logFailure = declareLogHook({
  name: 'log_failure',
  description: 'Logs that an item has failed, with its error.',
  level: 'warn',
  message: 'item failed',
});
