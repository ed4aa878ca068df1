/** The thread that reads one YAML text, then says where its nodes stand, for as long as it is asked. */
import { parentPort, workerData } from 'node:worker_threads';
import { readYamlDocuments, stepsOf, type TextPlace } from './documents.ts';

export type ReadingReply =
  | { is: 'content'; content: unknown }
  | { is: 'faulty'; faults: (TextPlace & { message: string })[] }
  | { is: 'places'; places: TextPlace[] };

const port = parentPort as NonNullable<typeof parentPort>;
const say = (reply: ReadingReply): void => port.postMessage(reply);
/** One open bracket can have as many faults as there are brackets. */
const FAULTS_TOLD = 100;
const START: TextPlace = { line: 1, column: 1 };

const documents = readYamlDocuments((workerData as { text: string }).text);
const [first, ...others] = documents;
port.on('message', (pointers: string[]) => {
  say({ is: 'places', places: pointers.map((pointer) => first?.placeOf(stepsOf(pointer)) ?? START) });
});
say(read());

function read(): ReadingReply {
  if (others.length > 0) return faulty({ ...START, message: `has ${documents.length} documents: send each in a request of its own` });
  if (first === undefined) return { is: 'content', content: undefined };
  if (first.faults.length > 0) return faulty(...first.faults.slice(0, FAULTS_TOLD));
  try {
    return { is: 'content', content: first.content() };
  } catch (error) {
    return faulty({ ...START, message: (error as Error).message });
  }
}

function faulty(...faults: (TextPlace & { message: string })[]): ReadingReply {
  return { is: 'faulty', faults };
}
