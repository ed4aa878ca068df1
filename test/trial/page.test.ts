import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { outcomesOf } from './try-files.ts';

describe('docs/testing.md', () => {
  it('shows a definition and a test that passes, and takes as long as it says', async () => {
    const blocks = [...readFileSync('docs/testing.md', 'utf8').matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block]) => block as string);
    const [definition = '', tests = ''] = blocks;
    expect(blocks).toHaveLength(2);
    const [outcome] = await outcomesOf(definition, tests);
    expect(outcome).toMatchObject({ faults: [], requests: 3 });
    expect(Math.floor(outcome?.seconds ?? 0)).toBe(600);
  });
});
