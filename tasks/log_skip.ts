import { declareLogHook } from './kit/log-hook.ts';

export const logSkip = declareLogHook({
  name: 'log_skip',
  description: 'Logs that an item has skipped a stage.',
  level: 'info',
  message: 'item skipped a stage',
});
