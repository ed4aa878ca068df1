import { defineConfig } from 'vite';

export default defineConfig({
  // The policy of the page lets in files of the service alone, so nothing is inlined into the document.
  build: {
    target: 'es2022',
    modulePreload: false,
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    emptyOutDir: true,
    reportCompressedSize: false,
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
});
