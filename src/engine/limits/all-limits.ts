import { lowestOf } from './allowed-rate.ts';
import type { AllowedRate, Claim, SharedGate, SharedPass, SharedWait } from './gate.ts';

/**
 * Several shared limits of one task: an execution begins when it has a place under each of them. They are waited for one after the other, everywhere in the
 * order of their names, so that no two executions wait for each other. Who has a place and waits for the next one holds the first: its window has room
 * for it, whenever it begins.
 */
export class AllLimits implements SharedGate {
  readonly name: string;
  private readonly gates: readonly SharedGate[];

  constructor(gates: readonly SharedGate[]) {
    this.gates = gates.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    this.name = this.gates.map(({ name }) => name).join(', ');
  }

  fullNow(): ReturnType<NonNullable<SharedGate['fullNow']>> {
    for (const gate of this.gates) {
      const full = gate.fullNow?.() ?? null;
      if (full !== null) return full;
    }
    return null;
  }

  /** The lowest of the rates that can be told, and the longest window. */
  rateNow(): AllowedRate | null {
    return lowestOf(this.gates.map((gate) => gate.rateNow?.() ?? null));
  }

  claim(claim: Claim, signal: AbortSignal, isLast: boolean): SharedWait {
    const wait = { name: this.name, blockedBy: (): ReturnType<SharedWait['blockedBy']> => null };
    const pass = this.passAll(claim, signal, isLast, (now) => Object.assign(wait, { name: now.name, blockedBy: () => now.blockedBy() }));
    return {
      pass,
      get name() {
        return wait.name;
      },
      blockedBy: () => wait.blockedBy(),
    };
  }

  private async passAll(claim: Claim, signal: AbortSignal, isLast: boolean, onWait: (wait: SharedWait) => void): Promise<SharedPass> {
    const passes: SharedPass[] = [];
    const each = (act: (pass: SharedPass) => void) => (): void => passes.forEach(act);
    const release = each((pass) => pass.release());
    const begin = each((pass) => pass.begin());
    try {
      for (const [i, gate] of this.gates.entries()) {
        const wait = gate.claim(claim, signal, isLast && i === this.gates.length - 1);
        onWait(wait);
        passes.push(await wait.pass);
      }
    } catch (error) {
      release();
      throw error;
    }
    if (isLast) begin();
    return { begin, release, hold: (seconds) => each((pass) => pass.hold(seconds))() };
  }
}
