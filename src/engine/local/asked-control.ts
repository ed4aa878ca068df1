import type { Lifecycle } from '../control/lifecycle.ts';
import type { Durable, StoredControl } from '../durable/durable.ts';
import { type Recovered, recover } from '../durable/recovery.ts';
import type { Core } from '../flow/core.ts';
import type { LiveDefinition } from './live-definition.ts';
import { storedControl } from './stored-facts.ts';

/** The state that operators asked a pipeline for: noted while it runs, frozen as the process ends, taken up by the next one. */
export class AskedControl {
  private readonly core: Core;
  private readonly lifecycle: Lifecycle;
  private readonly definition: LiveDefinition;
  /** The state asked for while the process starts or ends, when the pipeline's own state is not that. */
  private frozen: StoredControl | null = null;

  constructor(core: Core, lifecycle: Lifecycle, definition: LiveDefinition) {
    this.core = core;
    this.lifecycle = lifecycle;
    this.definition = definition;
  }

  get now(): StoredControl {
    const { core } = this;
    return (
      this.frozen ?? {
        state: core.state,
        pausedStages: core.stages.filter((stage) => stage.isPaused).map((stage) => stage.name),
        overrides: this.definition.overrides,
      }
    );
  }

  /** The process ends: a pipeline that is stopped for that goes on after the next start. */
  freeze(): void {
    this.frozen ??= this.now;
  }

  /** Takes up what the store has. Nothing runs before {@link AskedControl.goOn}. */
  recover(durable: Durable): Recovered {
    const control = storedControl(durable.link);
    this.definition.restore(control.overrides);
    for (const stage of this.core.stages) stage.isPaused = control.pausedStages.includes(stage.name);
    this.frozen = control;
    const found = recover(durable);
    durable.journal.recovered();
    return found;
  }

  /** After {@link AskedControl.recover}: the pipeline runs, is paused, drains, or is stopped, as before the restart. */
  goOn(): void {
    const control = this.frozen;
    this.frozen = null;
    if (control === null || control.state === 'created' || control.state === 'stopped') return;
    this.lifecycle.start(control.state === 'paused' ? 'paused' : 'running');
    if (control.state === 'draining') this.lifecycle.join().catch(() => undefined);
  }
}
