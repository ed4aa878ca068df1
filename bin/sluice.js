#!/usr/bin/env node
// The sources in a checkout, which Node runs as they are; the compiled ones in the package.
import { existsSync } from 'node:fs';

const source = new URL('../src/terminal/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/src/terminal/main.js', import.meta.url).href);
