/*
 * Room `values`: values of strangers and their texts: how large they are, whether they are JSON, how much of one is shown.
 *
 * Holds: A look at a value ends at a bound, whatever it refers to, and runs no code of its author.
 * Refuses: to keep a value, and to change one.
 */

/*
 * How much is held at once, in characters of JSON. Counting rows bounds nothing where a row can be 16 MiB; these are what bounds it.
 */

/** Smaller values are not worth counting one by one. */
export const LARGE = 16 * 1024;

/** A page ends with the row that reaches this; it has one row at least. */
export const PAGE_CHARACTERS = 8 * 1024 * 1024;

/** So much of a page is read in one turn of the event loop, and one row at least. */
export const STINT_CHARACTERS = 256 * 1024;

/** Size of the events formed at once: a reader that stops reading holds no more than this and one event. */
export const EVENTS_CHARACTERS = 256 * 1024;

/** The most characters of results that nobody has read yet, and of finished items cached for readers: beyond this they are looked up again. */
export const BUFFER_CHARACTERS = 8 * 1024 * 1024;

/** A run is answered with one document up to this; beyond it the answer says where its results are. */
export const DOCUMENT_CHARACTERS = 32 * 1024 * 1024;

/** Size of the newest failures in a summary, and of the history of one item. */
export const SUMMARY_CHARACTERS = 1024 * 1024;
