import { declareLogHook } from './kit/log-hook.ts';

export const logSuccess = declareLogHook({
  name: 'log_success',
  description: 'Logs that an item has completed a stage, with its id, feed, attempts and metadata.',
  level: 'info',
  message: 'item completed a stage',
});
