import { defineConfig } from 'orval';

export default defineConfig({
  sluice: {
    input: '../../openapi/client.json',
    output: {
      target: 'generated/orval/client.ts',
      mode: 'split',
      client: 'fetch',
      urlEncodeParameters: true,
      baseUrl: { runtime: 'service.url', imports: [{ name: 'service', importPath: '../../uses/service.ts' }] },
    },
  },
});
