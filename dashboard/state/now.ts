import { signal } from '@preact/signals';

/** The present, once a second, for what says how long ago something was. It stands still in a hidden tab. */
export const now = signal(Date.now());

setInterval(() => {
  if (document.visibilityState === 'visible') now.value = Date.now();
}, 1000);
