/** The things that a node cannot do, as callers are told, and as its log has it: see src/cluster/node/troubles.ts. */
import { describe, expect, it } from 'vitest';
import { EntryFault, UnknownFormat } from '../../src/cluster/entry/entry.ts';
import { Troubles } from '../../src/cluster/node/troubles.ts';
import { LeftBehind, TailLost } from '../../src/cluster/replica.ts';
import { CannotRestore } from '../../src/cluster/restoring.ts';
import { ConfigError } from '../../src/config.ts';
import { StoreTrouble } from '../../src/engine/store.ts';
import { StoreFileError } from '../../src/stores/sqlite/file.ts';
import { collectingLogger, type LogLine } from '../engine/harness.ts';

function newTroubles() {
  const lines: LogLine[] = [];
  let changes = 0;
  const troubles = new Troubles(collectingLogger(lines), () => void changes++);
  return { troubles, lines, changes: () => changes };
}

const refused = (): Error => Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:5432'), { code: 'ECONNREFUSED' });

describe('the troubles of a node', () => {
  it.each([
    refused(),
    new Error('no pg_hba.conf entry for host "10.0.0.7", user "sluice", database "secretdb"'),
    Object.assign(new Error("ENOENT: no such file or directory, open '/srv/sluice/node.db'"), { code: 'ENOENT' }),
    new StoreFileError('/srv/sluice/node.db is in use by another process (17)'),
    new ConfigError('The store cannot be used', ['/srv/sluice/node.db is not a file']),
    new Error('postgres://db7/secretdb?schema=x cannot be used', { cause: refused() }),
    new AggregateError([refused(), refused()]),
    'something thrown at http://10.0.0.7:9000',
  ])('are told without what a server or a file says: %s', (error) => {
    const { troubles, lines } = newTroubles();
    for (const kind of ['own', 'file', 'log'] as const) {
      troubles.set(kind, 'this cannot be done', error);
      expect(troubles.first).toBe('this cannot be done');
      expect(lines.pop()).toEqual({ level: 'warn', fields: { err: error }, message: 'this cannot be done' });
      troubles.end(kind);
    }
    expect(troubles.first).toBeNull();
  });

  it.each([
    new EntryFault('entry 7 does not follow entry 5'),
    new UnknownFormat(9),
    new TailLost('the log ends at entry 3, and this node has applied entry 5'),
    new LeftBehind('the log begins at entry 9, and this node has applied entry 5'),
    new CannotRestore('the log begins at entry 9, and there is no snapshot', { cause: refused() }),
    new StoreTrouble('the disk is full', new Error('write /srv/sluice/node.db-wal')),
  ])('are told with the reason where that is of entries, or in words for callers: %s', (error) => {
    const { troubles } = newTroubles();
    troubles.set('file', 'the file cannot be brought up to the log', error);
    expect(troubles.first).toBe(`the file cannot be brought up to the log: ${error.message}`);
  });

  it('are logged once each, also when callers are told the same of the next one', () => {
    const { troubles, lines, changes } = newTroubles();
    troubles.set('log', 'the log does not answer', refused());
    troubles.set('log', 'the log does not answer', refused());
    troubles.set('log', 'the log does not answer', new Error('read ECONNRESET'));
    expect([lines.length, changes()]).toEqual([2, 2]);
  });
});
