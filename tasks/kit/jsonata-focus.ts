/** What a native function is called on. */
export interface Focus {
  input: unknown;
  environment: unknown;
  options?: { sequence: number };
  createSequence(...only: unknown[]): unknown[];
}
