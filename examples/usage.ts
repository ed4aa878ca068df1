/**
 * The engine as a library, without the service: two stages of workers, plain functions as tasks.
 *
 *     node examples/usage.ts
 */
import { Pipeline } from '../src/engine/index.ts';

const pages: Record<string, string> = {
  'http://example.com/1': 'water finds its way',
  'http://example.com/2': 'a gate lets through what the next basin can hold',
};

// Where a real one would fetch.
async function fetchData(url: string): Promise<string> {
  const text = pages[url];
  if (text === undefined) throw Object.assign(new Error(`there is no ${url}`), { permanent: true });
  return text;
}

function processData(text: string): number {
  return text.split(' ').length;
}

const pipeline = new Pipeline({
  stages: [
    { name: 'Fetch', workers: 5, tasks: [fetchData] },
    { name: 'Process', workers: 2, tasks: [processData] },
  ],
});

const urls = [...Object.keys(pages), 'http://example.com/3'];
for (const { sequenceId, value, error } of await pipeline.run(urls)) {
  console.log(error === null ? `${sequenceId}: ${value} words` : `${sequenceId}: ${error.type}: ${error.message}`);
}
