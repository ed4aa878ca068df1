/** Variables by name; those that are not set may be absent. */
export type Environment = Readonly<Record<string, string | undefined>>;
