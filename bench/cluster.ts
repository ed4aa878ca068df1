import { handRows } from './cluster/hands.ts';
import { storeRows } from './cluster/stores.ts';
import { takeoverRows } from './cluster/takeover.ts';
import { report } from './row.ts';

/*
 * What more processes and more machines give and cost, with the compiled service as processes of their own. `node bench/cluster.ts hands` runs one part alone.
 */

const PARTS = { stores: storeRows, hands: handRows, takeover: takeoverRows };
const named = process.argv.slice(2) as (keyof typeof PARTS)[];
const parts = named.length > 0 ? named : (Object.keys(PARTS) as (keyof typeof PARTS)[]);
const rows = [];
for (const part of parts) rows.push(...(await PARTS[part]()));
report(rows);
process.exit(0);
