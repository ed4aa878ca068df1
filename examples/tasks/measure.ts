import { defineTask } from 'sluice/task';

interface Document {
  url: string;
}

interface Params {
  field: string;
}

export default defineTask<Document, Params>({
  description: 'Adds the size of the document at a URL.',
  params: {
    type: 'object',
    additionalProperties: false,
    properties: { field: { type: 'string', default: 'bytes' } },
  },
  concurrency: 4,
  timeoutSeconds: 30,
  async run(value, ctx) {
    const response = await fetch(value.url, { signal: ctx.signal });
    if (response.status === 404) throw ctx.permanent(`there is no ${value.url}`);
    if (response.status === 429) throw ctx.retryAfter(Number(response.headers.get('retry-after') ?? 60));
    ctx.setStatus('reading');
    const { byteLength } = await response.arrayBuffer();
    return { ...value, [ctx.params.field]: byteLength };
  },
});
