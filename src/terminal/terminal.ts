import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createSluice, type Sluice } from '../client/index.ts';
import { CommandEnd, EXIT } from './exit-codes.ts';
import { createPaint, escaped, type Paint, shown } from './paint.ts';

/** Options that every command takes. */
export interface GlobalOptions {
  url?: string;
  keyFile?: string;
  json?: boolean;
  color?: boolean;
}

/** The process as commands see it: data on stdout, messages on stderr, and when to stop. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  /** Aborts at the first Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** Writes a line for people, as fast as it is read. */
  print(line: string): Promise<void>;
  /** Writes JSON or CSV: what acts on a terminal is escaped there, and nowhere else. */
  printData(line: string): Promise<void>;
  /** Writes a text of our own as it is. */
  printOwn(text: string): Promise<void>;
  /** A message for a person. */
  say(line: string): void;
  readonly stdout: Screenlike;
  readonly stderr: Screenlike;
  /** Colours of stdout and of stderr. */
  readonly paint: Paint;
  readonly messagePaint: Paint;
  /** Ends the process with this code when the command has returned. */
  exitWith(code: number): void;
}

/** A stream and what is known of the terminal behind it. */
export interface Screenlike {
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly rows: number;
  write(text: string): void;
  onResize(listener: () => void): () => void;
}

const DEFAULT_URL = 'http://127.0.0.1:3000';

/** The client for the service that the options or the environment name. A key is read from a file or the environment: everybody can read a command line. */
export function connect({ env }: Terminal, { url = env.SLUICE_URL ?? DEFAULT_URL, keyFile = env.SLUICE_KEY_FILE }: GlobalOptions): Sluice {
  const key = keyFile === undefined || keyFile === '' ? env.SLUICE_KEY : readKey(keyFile);
  const { username = '', password = '' } = URL.canParse(url) ? new URL(url) : {};
  if (!URL.canParse(url) || !/^https?:/.test(url) || username + password !== '')
    throw new CommandEnd(
      EXIT.usage,
      `${url.includes('@') ? 'An address with a user or a password' : url} is not the address of a service, such as ${DEFAULT_URL}`,
    );
  return createSluice({ url, ...(key !== undefined && key !== '' && { key }) });
}

function readKey(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new CommandEnd(EXIT.usage, `the key cannot be read: ${(error as Error).message}`);
  }
}

export function createTerminal(process: NodeJS.Process, options: { color?: boolean | undefined } = {}): Terminal {
  const { env } = process;
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    // The second one ends the process as it would without us.
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
    stop.abort(new CommandEnd(signal === 'SIGINT' ? EXIT.interrupted : 143));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // Whoever reads our output may have enough of it, as `head` does.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    throw error;
  });
  const isColored = (stream: NodeJS.WriteStream): boolean =>
    options.color !== false && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb' && stream.isTTY === true;
  const write = async (line: string): Promise<void> => {
    if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain');
  };
  return {
    env,
    signal: stop.signal,
    print: (line) => write(shown(line)),
    printData: (line) => write(process.stdout.isTTY === true ? escaped(line) : line),
    printOwn: write,
    say: (line) => void process.stderr.write(`${shown(line)}\n`),
    stdout: screenOf(process.stdout),
    stderr: screenOf(process.stderr),
    paint: createPaint(isColored(process.stdout)),
    messagePaint: createPaint(isColored(process.stderr)),
    exitWith(code) {
      process.exitCode = code;
    },
  };
}

function screenOf(stream: NodeJS.WriteStream): Screenlike {
  return {
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns ?? 80;
    },
    get rows() {
      return stream.rows ?? 24;
    },
    write: (text) => void stream.write(text),
    onResize(listener) {
      stream.on('resize', listener);
      return () => stream.off('resize', listener);
    },
  };
}
