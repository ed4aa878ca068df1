import { createHash, randomBytes } from 'node:crypto';
import { SluiceError } from '../../engine/index.ts';
import type { Clock } from '../../engine/ports.ts';

/** A ticket as it is handed out. Nothing but this object holds its text. */
export interface IssuedTicket {
  /** `slt_` and 256 random bits in base64url. */
  ticket: string;
  /** RFC 3339 in UTC. */
  expiresAt: string;
}

/** The key that asked for a ticket, by its name and digest; both are empty where no keys are set up. */
export interface TicketHolder {
  readonly name: string;
  readonly sha256Hex: string;
}

export interface Tickets {
  /**
   * Issues a ticket for the events of a pipeline, or of all pipelines (`null`). Throws `too-many-tickets` when the keys of the holder's name
   * have as many unused ones as they may.
   */
  issue(holder: TicketHolder, stream: string | null): IssuedTicket;
  /** The ticket with this text, which stays as it is until it is used. Throws `invalid-ticket`, also for one that is not for this stream. */
  find(text: string, stream: string | null): FoundTicket;
}

/** A ticket that came with a request while it was good. */
export interface FoundTicket {
  readonly holder: TicketHolder;
  /** Uses it up: to be called when nothing but the stream can follow. Throws `invalid-ticket` when another request has been quicker. */
  use(): void;
}

/** Long enough to open a connection, and too short for what an address leaves behind in logs and histories to be of use. */
export const TICKET_SECONDS = 60;

interface Kept {
  readonly holder: TicketHolder;
  readonly stream: string | null;
  readonly expires: number;
  isUsed: boolean;
}

/**
 * Single-use tickets for event streams. `EventSource` sends no headers, so what admits it has to be in the address, where a key must not be.
 *
 *     issued ──use──▶ gone
 *        └──60 s, or the key has gone or expired──▶ worthless
 *
 * A request that is refused, or waits, leaves its ticket as it was. Only digests are kept, and for no longer than a ticket is good for. Each name of keys has its own share of them, so that nobody can use up another's.
 */
export function createTickets({ clock, most }: { clock: Clock; most: number }): Tickets {
  /** By digest; within a name in the order in which they expire. */
  const byName = new Map<string, Map<string, Kept>>();

  /** All tickets live equally long, so the expired ones are the first. */
  function forgetExpired(): void {
    const now = clock.monotonic();
    for (const [name, tickets] of byName) {
      for (const [digest, { expires }] of tickets) {
        if (expires > now) break;
        tickets.delete(digest);
      }
      if (tickets.size === 0) byName.delete(name);
    }
  }

  return {
    issue({ name, sha256Hex }, stream) {
      forgetExpired();
      const tickets = byName.get(name) ?? new Map<string, Kept>();
      const [oldest] = tickets.values();
      if (oldest !== undefined && tickets.size >= most) {
        const retryAfterSeconds = (oldest.expires - clock.monotonic()) / 1000;
        throw new SluiceError('too-many-tickets', `there are already ${tickets.size} unused tickets (MAX_TICKETS_PER_KEY)`, {
          retryAfterSeconds,
        });
      }
      byName.set(name, tickets);
      const ticket = `slt_${randomBytes(32).toString('base64url')}`;
      const expires = clock.monotonic() + TICKET_SECONDS * 1000;
      tickets.set(digestOf(ticket), { holder: { name, sha256Hex }, stream, expires, isUsed: false });
      return { ticket, expiresAt: new Date(clock.now() + TICKET_SECONDS * 1000).toISOString() };
    },

    find(text, stream) {
      forgetExpired();
      const digest = digestOf(text);
      for (const tickets of byName.values()) {
        const found = tickets.get(digest);
        if (found === undefined) continue;
        if (found.stream !== stream) throw new SluiceError('invalid-ticket', 'the ticket was issued for another stream');
        return {
          holder: found.holder,
          // It may have expired while its request waited for the start: it came in time all the same.
          use() {
            if (found.isUsed) throw worthless();
            found.isUsed = true;
            tickets.delete(digest);
          },
        };
      }
      throw worthless();
    },
  };
}

function worthless(): SluiceError {
  return new SluiceError('invalid-ticket', 'the ticket is unknown, was used already, or has expired');
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
