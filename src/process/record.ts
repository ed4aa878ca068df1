import { write } from 'node:fs';
import { kill, pid } from 'node:process';

/** A line of the log as pino writes it, for a thread that has no logger. */
export function fatalRecord(fields: object, msg: string): string {
  return `${JSON.stringify({ level: 60, time: new Date().toISOString(), ...fields, msg })}\n`;
}

/** Writes to stdout, and waits no longer than this: whoever reads the log may be what holds the process. */
export function writeOut(line: string, limitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, limitMs);
    write(1, line, () => {
      clearTimeout(late);
      resolve();
    });
  });
}

/** The first process of a container gets no signal that it sends itself, this one included. */
export function killOwnProcess(): void {
  kill(pid, 'SIGKILL');
}
