import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { expect, it } from 'vitest';

it('is small in a web page, and needs nothing of Node there', async () => {
  const built = await build({
    configFile: false,
    logLevel: 'silent',
    build: { write: false, lib: { entry: 'src/client/index.ts', formats: ['es'] }, minify: true },
  });
  const [{ output }] = [built].flat() as unknown as [{ output: { code: string; imports: string[] }[] }];
  expect(output.flatMap(({ imports }) => imports)).toEqual([]);
  const code = output.map(({ code }) => code).join('');
  expect(code).not.toMatch(/node:|__vite-browser-external/);
  expect(gzipSync(code).length).toBeLessThan(12_000);
});
