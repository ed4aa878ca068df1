import { ready } from './ready.ts';

/* A bare process that calls the task of a file so often: `burn.ts FILE COUNT`. Told `round`, it answers when it has. */
const [file = '', count = '0'] = process.argv.slice(2);
const { default: task } = (await import(file)) as { default: { run(value: unknown): unknown } };
ready(0, () => {
  for (let i = 0; i < Number(count); i++) task.run(i);
  return true;
});
