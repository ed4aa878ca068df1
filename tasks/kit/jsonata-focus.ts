/** The focus on which a native function is called. */
export interface Focus {
  input: unknown;
  environment: unknown;
  options?: { sequence: number };
  createSequence(...only: unknown[]): unknown[];
}
