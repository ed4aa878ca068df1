import type { Lifecycle } from '../control/lifecycle.ts';
import type { Durable, StoredControl } from '../durable/durable.ts';
import { type Recovered, recover } from '../durable/recovery.ts';
import type { DoneCalls } from '../feeds/done-calls.ts';
import type { Core } from '../flow/core.ts';
import type { Stage } from '../model/model.ts';
import type { LiveDefinition } from './live-definition.ts';
import { pausesOf, storedControl } from './stored-facts.ts';

/** The state that operators asked a pipeline for: noted while it runs, frozen as the process ends, taken up by the next one. */
export class AskedControl {
  private readonly core: Core;
  private readonly lifecycle: Lifecycle;
  private readonly definition: LiveDefinition;
  private readonly doneCalls: DoneCalls;
  /** The state asked for while the process starts or ends, when the pipeline's own state is not that. */
  private frozen: StoredControl | null = null;

  constructor(core: Core, lifecycle: Lifecycle, definition: LiveDefinition, doneCalls: DoneCalls) {
    this.core = core;
    this.lifecycle = lifecycle;
    this.definition = definition;
    this.doneCalls = doneCalls;
  }

  get now(): StoredControl {
    const { core, frozen } = this;
    if (frozen !== null && this.lifecycle.unusable === null) return frozen;
    return {
      // One that cannot run stands still, and goes on when it can.
      state: frozen?.state ?? core.state,
      ...pausesOf(core.stages),
      overrides: this.definition.overrides,
    };
  }

  /** Remembers the present state: the process ends, and a pipeline that stops only for that goes on after the next start. */
  freeze(): void {
    this.frozen ??= this.now;
  }

  /** Restores the pipeline from its store. Nothing runs before {@link AskedControl.goOn}. */
  recover(durable: Durable): Recovered {
    const control = storedControl(durable.link);
    this.definition.restore(control.overrides);
    for (const stage of this.core.stages) {
      stage.isPaused = control.pausedStages.includes(stage.name);
      stage.pauseReason = Object.hasOwn(control.pausedReasons, stage.name) ? (control.pausedReasons[stage.name] as string) : null;
    }
    this.frozen = control;
    const found = recover(durable);
    durable.journal.recovered();
    for (const feed of this.core.feeds.after(0)) if (feed.isOwed) this.doneCalls.addAgain(feed);
    return found;
  }

  /** A stage has paused itself, perhaps while the process ends: it is still paused after the next start. */
  pausedItself({ name, pauseReason }: Stage): void {
    if (this.frozen === null) return;
    const { pausedStages, pausedReasons } = this.frozen;
    this.frozen = {
      ...this.frozen,
      pausedStages: [...pausedStages, name],
      pausedReasons: { ...pausedReasons, [name]: pauseReason as string },
    };
  }

  /** Somebody has shut it down: it does not go on by itself, even if it could not have. */
  stopped(): void {
    if (this.frozen === null || this.lifecycle.unusable === null) return;
    this.frozen = { ...this.frozen, state: 'stopped' };
    this.core.keeper.touchFact('control');
  }

  /**
   * Puts the pipeline into the state from before the restart: running, paused, draining or stopped. One whose definition cannot be used stands
   * still, and this is to be called again when it has another one. Call it after {@link AskedControl.recover}.
   */
  goOn(): void {
    const control = this.frozen;
    const { unusable } = this.lifecycle;
    if (unusable !== null) {
      this.lifecycle.standStill(unusable);
      return;
    }
    this.frozen = null;
    this.doneCalls.begin();
    if (control?.state === 'stopped') this.core.enter('stopped');
    if (control === null || control.state === 'created' || control.state === 'stopped') return;
    this.lifecycle.start(control.state === 'paused' ? 'paused' : 'running');
    if (control.state === 'draining') this.lifecycle.join().catch(() => undefined);
  }
}
