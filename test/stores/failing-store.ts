import { type Store, StoreTrouble, type Writes } from '../../src/engine/store.ts';

/** A store whose disk fails as long as `fault` says so, and does not answer while it `hangs`. */
export class FailingStore {
  fault: string | null = null;
  /** Whole transactions that reached the file. */
  writes = 0;
  /** Called before each write. */
  onWrite: () => void = () => undefined;
  private store: Store | null = null;
  private hanging: PromiseWithResolvers<void> | null = null;

  of(store: Store): Store {
    this.store = store;
    return new Proxy(store, {
      get: (target, name) => {
        if (name === 'write') return (writes: Writes) => this.write(writes, target);
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  set hangs(hangs: boolean) {
    if (hangs) this.hanging ??= Promise.withResolvers();
    else {
      this.hanging?.resolve();
      this.hanging = null;
    }
  }

  private async write(writes: Writes, store: Store): Promise<void> {
    this.onWrite();
    if (this.hanging !== null) await this.hanging.promise;
    // The process that had it is gone: what it wrote last reaches nobody.
    if (this.store !== store) return new Promise(() => undefined);
    if (this.fault !== null) throw new StoreTrouble(this.fault);
    this.writes++;
    return store.write(writes);
  }
}
