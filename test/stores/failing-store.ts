import { type Shelf, type Store, StoreTrouble, type Writes } from '../../src/engine/store.ts';

/** A store whose disk fails as long as `fault` says so, and does not answer while it `hangs`; reads fail as `readFault` and `failsRead` say. */
export class FailingStore {
  fault: string | null = null;
  /** Why any read fails. */
  readFault: string | null = null;
  /** Whether the next read, a method of the shelf, fails; asked for each. */
  failsRead: (name: string) => boolean = () => false;
  /** Whether the next read of what no shelf has, the pipelines and the facts of the store itself, fails; asked for each. */
  failsWhole: () => boolean = () => false;
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
        if (name === 'shelf') return (pipeline: number) => this.shelf(target.shelf(pipeline));
        if (name === 'nextPipeline') return (after: number) => this.read(name, () => target.nextPipeline(after));
        if ((name === 'pipelines' || name === 'facts') && this.failsWhole()) throw new StoreTrouble('the disk reports an error');
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

  /** From now on all is well. */
  heal(): void {
    this.fault = null;
    this.readFault = null;
    this.failsRead = () => false;
    this.failsWhole = () => false;
    this.hangs = false;
  }

  private shelf(shelf: Shelf): Shelf {
    return new Proxy(shelf, {
      get: (target, name) => {
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? (...args: unknown[]) => this.read(String(name), () => value.apply(target, args)) : value;
      },
    });
  }

  private read<T>(name: string, ask: () => T): T {
    const fault = this.readFault ?? (this.failsRead(name) ? 'the disk reports an error' : null);
    if (fault !== null) throw new StoreTrouble(fault);
    return ask();
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
