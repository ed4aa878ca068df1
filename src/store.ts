/**
 * Looks after a store. `backup` and `check` work while the service does; the others need the store for themselves.
 *
 *   npm run store -- backup FILE            writes a copy of the store of STORE_URL to FILE, which must not be there yet
 *   npm run store -- check [FILE|URL]       reads a store through (by default that of STORE_URL), says what is in it and what is wrong
 *   npm run store -- migrate FROM TO        moves everything from a file: URL to a postgres: URL with an empty schema, or back to a file that is not there yet
 *   npm run store -- remove PIPELINE        deletes a pipeline with its items from the file of STORE_URL
 *   npm run store -- compact                gives the disk what the file of STORE_URL no longer needs
 *
 * To restore a file, stop the service, move the old one and its -wal and -shm away, put the backup in its place, and start.
 * Exit code 0 when all is well, 1 when something is wrong with the store, 78 when it cannot be used at all.
 */
import { storeCommand } from './store-command.ts';

process.exitCode = await storeCommand(process.argv.slice(2), 'npm run store --');
