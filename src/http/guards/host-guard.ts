import { isIP } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isLoopback } from '../../config.ts';
import { SluiceError } from '../../engine/index.ts';

export interface HostRules {
  /** Where the service listens. */
  host: string;
  /** Entries of `ALLOWED_HOSTS`. */
  allowedHosts: readonly string[];
  /** With keys a request is known by its key, whatever name it was sent to. */
  hasKeys: boolean;
}

/** RFC 3986 section 3.2.2: an IP literal or a registered name, then perhaps a port. No user information. */
const AUTHORITY = /^(?<host>\[[0-9a-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::(?<port>\d{0,5}))?$/i;
/** RFC 9112 section 3.2.2: a target that names its authority, which goes before `Host`. */
const ABSOLUTE = /^[a-z][a-z0-9+.-]*:\/\/(?<authority>[^/?#\\]*)/i;
/** Spellings that browsers take for an IPv4 address, which are not names. */
const ENDS_IN_NUMBER = /(?:^|[.])(?:\d+|0x[0-9a-f]*)[.]?$/i;

/**
 * Refuses a request whose `Host` names another machine. A page of `evil.example` whose name is made to resolve to this machine (DNS
 * rebinding) counts for the browser as one of the same origin, and could do everything that needs no key; its `Host` is all that tells.
 *
 * Without keys the name has to be of this machine's loopback, or one of `ALLOWED_HOSTS`. A service that listens beyond loopback without
 * keys, because others guard its network, also goes by every IP address and, as long as `ALLOWED_HOSTS` names none, by names without a dot
 * such as a container's: no public DNS has such a name for somebody else's page.
 *
 * For the hook and for what the router refuses before any hook: returns what is wrong, if anything is.
 */
export function createHostGuard({ host: own, allowedHosts, hasKeys }: HostRules): (request: FastifyRequest) => SluiceError | undefined {
  const allowed = allowedHosts.map(matcherOf);
  const isLocal = isLoopback(own);
  const takesShortNames = !isLocal && allowed.length === 0;

  function isOurs(name: string, port: string): boolean {
    const literal = addressOf(name);
    if (literal !== undefined) return !isLocal || isLoopback(literal) || allowed.some((fits) => fits(literal, port));
    if (ENDS_IN_NUMBER.test(name)) return false;
    if (name === 'localhost' || name.endsWith('.localhost')) return true;
    if (!isLocal && name === own.toLowerCase()) return true;
    if (takesShortNames && name !== '' && !name.includes('.')) return true;
    return allowed.some((fits) => fits(name, port));
  }

  /** The last accepted authority: nearly all requests name the same. */
  let taken: string | null = null;

  function faultOf(authority: string): SluiceError | undefined {
    if (authority === taken) return undefined;
    const { host, port = '' } = AUTHORITY.exec(authority)?.groups ?? {};
    if (host === undefined || Number(port) > 65_535) return new SluiceError('bad-request', 'the Host header is not a host and a port');
    if (hasKeys || isOurs(nameOf(host), port)) {
      taken = authority;
      return undefined;
    }
    return new SluiceError('misdirected-request', `the request was sent to "${authority}", a host name that this service does not accept`);
  }

  return ({ raw }) => {
    const hosts = hostLines(raw.rawHeaders);
    if (hosts.length > 1) return new SluiceError('bad-request', 'the request has more than one Host header');
    const [given] = hosts;
    // HTTP/1.0 may leave it out, but browsers never do.
    if (given === undefined && raw.httpVersion !== '1.0') return new SluiceError('bad-request', 'the request has no Host header');
    const { url = '' } = raw;
    const authority = url.startsWith('/') ? undefined : ABSOLUTE.exec(url)?.groups?.authority;
    return (
      (given === undefined && hasKeys ? undefined : faultOf(given ?? '')) ?? (authority === undefined ? undefined : faultOf(authority))
    );
  };
}

/** A name is the same in capitals and with the dot of the root; an address has one spelling. */
function nameOf(host: string): string {
  const lower = host.toLowerCase();
  return ENDS_IN_NUMBER.test(lower) ? lower : lower.replace(/[.]$/, '');
}

/** The address in an IPv6 literal in brackets, or in an IPv4 literal; undefined for names. */
function addressOf(name: string): string | undefined {
  const inBrackets = /^\[(.*)\]$/.exec(name)?.[1];
  if (inBrackets !== undefined) return isIP(inBrackets) === 6 ? inBrackets : undefined;
  return isIP(name) === 4 ? name : undefined;
}

/** Applies the host guard to every request, including those that no route matches. */
export function refuseOtherHosts(app: FastifyInstance, faultOf: ReturnType<typeof createHostGuard>): void {
  // What another node has passed on was sent to that one, which has looked at it.
  app.addHook('onRequest', (request, _reply, done) => done(request.hop ? undefined : faultOf(request)));
}

/** Node keeps the first of several lines alone; all are in the raw headers, name after value. */
function hostLines(raw: readonly string[]): string[] {
  const found: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') found.push((raw[i + 1] as string).trim());
  }
  return found;
}

/** An entry of `ALLOWED_HOSTS`. Without a port it goes for every port; a Host without one is of the scheme's own. */
function matcherOf(entry: string): (name: string, port: string) => boolean {
  const text = entry.toLowerCase();
  if (isIP(text) !== 0) return (name) => name === text;
  if (text.startsWith('*.')) return (name) => name.endsWith(text.slice(1));
  const [entryName = '', entryPort] = text.split(':');
  return (name, port) =>
    name === entryName && (entryPort === undefined || entryPort === port || (port === '' && /^(80|443)$/.test(entryPort)));
}
