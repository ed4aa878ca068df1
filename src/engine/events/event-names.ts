import type { TaskSpec } from '../definition/calls.ts';
import type { Stage, Worker } from '../model/model.ts';

/** The stage, and the worker if any, that an event comes from. */
export interface Source {
  stage: string;
  worker: string | null;
}

/** The names that events refer to by number, in the order of their numbers. */
export interface EventTexts {
  sources: readonly Source[];
  tasks: readonly string[];
}

/** Numbers the stages, workers and tasks, so that events can refer to them. Numbers are added, never removed. */
export class EventNames {
  /** Entry 0 stands for no stage. */
  private readonly sources: Source[] = [{ stage: '', worker: null }];
  private readonly sourceIds = new Map<string, number>();
  private readonly tasks: string[] = [''];
  private readonly taskIds = new Map<string, number>();

  get count(): number {
    return this.sources.length + this.tasks.length;
  }

  get texts(): EventTexts {
    return { sources: this.sources, tasks: this.tasks };
  }

  /** Restores the numbers that an earlier process assigned; to be called before any is assigned. */
  restore({ sources, tasks }: EventTexts): void {
    for (const { stage, worker } of sources.slice(1)) this.ofSource(stage, worker);
    for (const name of tasks.slice(1)) this.taskIds.set(name, this.tasks.push(name) - 1);
  }

  source(id: number): Source {
    return this.sources[id] as Source;
  }

  task(id: number): string {
    return this.tasks[id] as string;
  }

  ofStage(stage: Stage): number {
    return stage.sourceId || this.register(stage, null);
  }

  ofWorker(worker: Worker): number {
    return worker.sourceId || this.register(worker.stage, worker);
  }

  ofTask(task: TaskSpec): number {
    return task.eventId || this.registerTask(task);
  }

  /** The number of a source by its names, so that a stage that is resized again and again does not make the table grow. */
  ofSource(stage: string, worker: string | null): number {
    const key = JSON.stringify([stage, worker]);
    const known = this.sourceIds.get(key);
    if (known !== undefined) return known;
    const id = this.sources.push({ stage, worker }) - 1;
    this.sourceIds.set(key, id);
    return id;
  }

  private register(stage: Stage, worker: Worker | null): number {
    const id = this.ofSource(stage.name, worker === null ? null : worker.name);
    if (worker === null) stage.sourceId = id;
    else worker.sourceId = id;
    return id;
  }

  private registerTask(task: TaskSpec): number {
    const id = this.taskIds.get(task.name) ?? this.tasks.push(task.name) - 1;
    this.taskIds.set(task.name, id);
    task.eventId = id;
    return id;
  }
}
