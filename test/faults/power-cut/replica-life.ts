/** A life of a node's file, for the record: `FILE FROM TO END`. Each transaction adds an item, and the file is killed or closed after the last. */
import { openSqliteReplica } from '../../../src/stores/sqlite/replica.ts';
import { transaction } from './replica-work.ts';

const [file = '', from = '', to = '', end = ''] = process.argv.slice(2);
const replica = await openSqliteReplica({ file, inProcess: true });
for (let number = Number(from); number <= Number(to); number++) await replica.write(transaction(number), String(number));
if (end === 'kill') process.kill(process.pid, 'SIGKILL');
await replica.close();
