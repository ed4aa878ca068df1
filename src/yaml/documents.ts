/*
 * Folder `yaml`: reads YAML documents, and says where something stands in their text. For definitions in files and in bodies.
 *
 * Holds: Nothing is made of a document that is at fault, and every fault has a line.
 * Refuses: to know what a definition is.
 */

import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { yamlFaults } from './faults.ts';

/** A place in a text, counted from 1. */
export interface TextPlace {
  line: number;
  column: number;
}

export interface YamlDocument {
  /** Found before anything is made of it; with any, it has no content. */
  readonly faults: readonly (TextPlace & { message: string })[];
  /** Undefined for an empty document. Throws what is wrong with its aliases. */
  content(): unknown;
  /** The place of a node. One that doesn't exist, such as a missing field, has the place of what should hold it. */
  placeOf(path: readonly (string | number)[]): TextPlace;
}

/** The documents of a text; JSON is read as the YAML that it is. Takes long for large texts: see apart.ts. */
export function readYamlDocuments(text: string): YamlDocument[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, stringKeys: true, version: '1.2', merge: true });
  if (!Array.isArray(documents)) return [];
  const placeAt = (offset: number): TextPlace => {
    const { line, col: column } = lines.linePos(offset);
    return { line, column };
  };
  return documents.map((document: Document.Parsed) => ({
    faults: yamlFaults(document, text).map(({ offset, message }) => ({ ...placeAt(offset), message })),
    // Anchors may be used, up to a bound: ten lines of them can stand for billions of values.
    content: () => document.toJS({ maxAliasCount: 100 }),
    placeOf(path) {
      let offset: number | undefined;
      for (let length = path.length; length >= 0 && offset === undefined; length--) {
        const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] | null } | undefined;
        offset = node?.range?.[0];
      }
      return placeAt(offset ?? 0);
    },
  }));
}

/** The keys and indexes that a JSON Pointer goes through. */
export function stepsOf(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}
