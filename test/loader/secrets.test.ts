import { describe, expect, it } from 'vitest';
import { loadConfig, readSecretsDir } from '../../src/config.ts';
import { compileTemplates } from '../../src/engine/definition/templates.ts';
import { systemClock } from '../../src/engine/ports.ts';
import { createSecrets } from '../../src/loader/secrets.ts';
import { expressionLanguage } from '../../tasks/index.ts';
import { folderWith } from './folder.ts';

describe('secrets that get other values', () => {
  it('are seen by templates that were compiled before, and masked under both', async () => {
    const secrets = createSecrets({ KEY: 'first-value', GONE: 'swordfish' });
    const given = { header: 'Bearer {{ secrets.KEY }}', gone: '{{ secrets.GONE }}' };
    const { templates } = compileTemplates(given, [], { expressions: expressionLanguage, secrets, clock: systemClock });
    const render = () => templates?.render({ value: 1, metadata: {}, itemId: 'a', sequenceId: 1 });
    expect(await render()).toEqual({ header: 'Bearer first-value', gone: 'swordfish' });
    const { mask, maskLine } = secrets;
    expect(secrets.replace({ KEY: 'second-value', NEW: 'third-value' })).toEqual({ added: ['NEW'], changed: ['KEY'], gone: ['GONE'] });
    expect(await render()).toEqual({ header: 'Bearer second-value', gone: 'swordfish' });
    expect(mask('first-value second-value third-value swordfish')).toBe('[secret KEY] [secret KEY] [secret NEW] [secret GONE]');
    expect(maskLine('{"a":"second-value"}')).toBe('{"a":"[secret KEY]"}');
  });
});

describe('SECRETS_DIR', () => {
  it('is a folder of secrets by the names of their files', () => {
    const folder = folderWith({
      TOKEN: 'hunter22\n',
      windows: 'hunter22\r\n',
      spaced: ' hunter22\n\n',
      '.hidden': 'x',
      'sub/INNER': 'hunter22',
    });
    expect(readSecretsDir({ SECRETS_DIR: folder })).toEqual({
      secrets: { TOKEN: 'hunter22', windows: 'hunter22', spaced: ' hunter22\n' },
      faults: [],
    });
    expect(loadConfig({ SECRETS_DIR: folder, SECRET_OTHER: 'swordfish' }).secrets).toMatchObject({ TOKEN: 'hunter22', OTHER: 'swordfish' });
    expect(readSecretsDir({})).toEqual({ secrets: {}, faults: [] });
  });

  it('has its faults told without a value', () => {
    const folder = folderWith({ 'a-b': 'hunter22', SHORT: 'abc\n', TWICE: 'hunter22' });
    const { faults } = readSecretsDir({ SECRETS_DIR: folder, SECRET_TWICE: 'hunter33' });
    expect(faults).toEqual([
      'SECRETS_DIR has a secret SHORT of fewer than 4 characters',
      'SECRETS_DIR has a secret TWICE, and SECRET_TWICE is set as well',
      'SECRETS_DIR has a file "a-b", a name that templates cannot use',
    ]);
    expect(() => loadConfig({ SECRETS_DIR: `${folder}/nowhere` })).toThrow('SECRETS_DIR cannot be read: ENOENT');
  });
});
