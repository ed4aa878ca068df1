import { type LookupAddress, lookup as lookupName } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { AddressRefusedError } from './http-trouble.ts';

/**
 * Which addresses the tasks may connect to. Public ones; of the others (loopback, private, link-local with the metadata services,
 * shared, multicast, reserved ranges, from the IANA special-purpose registries) those that `allowed` names.
 *
 * It is asked three times for a connection: for the name or literal of the URL, for what the name resolves to, and for the address that
 * the socket is connected to in the end, which no spelling of the URL can dress up.
 */
export interface AddressGuard {
  /** Throws {@link AddressRefusedError} for a literal that is refused. A name passes: what it resolves to is looked at. */
  checkHost(host: string, port: number): void;
  /** Resolves a name to the addresses that are not refused; an error when there is none. */
  lookupFor(host: string, port: number): LookupFunction;
  /** Throws {@link AddressRefusedError} when a connection to that host has come out at an address that is refused. */
  checkAddress(address: string | undefined, host: string, port: number): void;
}

const refused = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  refused.addSubnet(network, prefix, 'ipv4');
}

/** In IPv6 only global unicast addresses may be reached, except those that stand for other addresses. */
const globalUnicast = new BlockList();
globalUnicast.addSubnet('2000::', 3, 'ipv6');
const refusedGlobal = new BlockList();
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  refusedGlobal.addSubnet(network, prefix, 'ipv6');
}
/** IPv4 inside IPv6: mapped (RFC 4291) and translated (RFC 6052). The address inside is the one that counts. */
const MAPPED = /^(?:::ffff:|64:ff9b::)(?:(\d+\.\d+\.\d+\.\d+)|([0-9a-f]{1,4}):([0-9a-f]{1,4}))$/;

type Entry =
  | { kind: 'name'; name: string; port: number | undefined }
  | { kind: 'domain'; suffix: string }
  | { kind: 'range'; list: BlockList };

/** `allowed`: entries as `allowedHostSchema` of src/schemas takes them. */
export function createAddressGuard(allowed: readonly string[]): AddressGuard {
  const entries = allowed.map(parseEntry);

  return { checkHost, lookupFor, checkAddress };

  function checkHost(host: string, port: number): void {
    const literal = unbracketed(host);
    if (isIP(literal) !== 0) checkAddress(literal, host, port);
    // RFC 6761 6.3: these names are loopback, whatever a resolver makes of them.
    else if (/(?:^|[.])localhost[.]?$/i.test(literal) && !isRangeAllowed('::1')) checkAddress('127.0.0.1', host, port);
  }

  function checkAddress(address: string | undefined, host: string, port: number): void {
    const isOpen = address !== undefined && (isNameAllowed(host, port) || isRangeAllowed(address) || !isRefused(address));
    if (!isOpen) throw new AddressRefusedError(host, { host, port, addresses: [address ?? 'unknown'] });
  }

  function lookupFor(host: string, port: number): LookupFunction {
    return (name, options, callback) => {
      lookupName(name, { ...options, all: true }, (error, found: LookupAddress[]) => {
        if (error !== null) return callback(error, '', 0);
        const open = found.filter(({ address }) => isNameAllowed(host, port) || isRangeAllowed(address) || !isRefused(address));
        const [first] = open;
        if (first === undefined) {
          const addresses = found.map(({ address }) => address);
          return callback(new AddressRefusedError(host, { host, port, addresses }), '', 0);
        }
        if (options.all === true) callback(null, open);
        else callback(null, first.address, first.family);
      });
    };
  }

  function isNameAllowed(host: string, port: number): boolean {
    const name = unbracketed(host).toLowerCase().replace(/[.]$/, '');
    return entries.some((entry) => {
      if (entry.kind === 'name') return entry.name === name && (entry.port === undefined || entry.port === port);
      return entry.kind === 'domain' && name.endsWith(entry.suffix);
    });
  }

  function isRangeAllowed(address: string): boolean {
    const plain = embeddedIpv4(address) ?? address;
    return entries.some((entry) => entry.kind === 'range' && entry.list.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4'));
  }
}

function isRefused(address: string): boolean {
  const plain = embeddedIpv4(address) ?? address;
  if (isIP(plain) === 4) return refused.check(plain, 'ipv4');
  const [withoutZone] = plain.split('%') as [string];
  return isIP(withoutZone) !== 6 || !globalUnicast.check(withoutZone, 'ipv6') || refusedGlobal.check(withoutZone, 'ipv6');
}

function embeddedIpv4(address: string): string | undefined {
  const match = MAPPED.exec(address.toLowerCase());
  if (match === null) return undefined;
  if (match[1] !== undefined) return match[1];
  const high = Number.parseInt(match[2] as string, 16);
  const low = Number.parseInt(match[3] as string, 16);
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}

function unbracketed(host: string): string {
  return host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
}

function parseEntry(text: string): Entry {
  const [network = '', prefix] = text.split('/');
  const version = isIP(network);
  if (version !== 0) {
    const list = new BlockList();
    list.addSubnet(network, prefix === undefined ? (version === 4 ? 32 : 128) : Number(prefix), version === 4 ? 'ipv4' : 'ipv6');
    return { kind: 'range', list };
  }
  const lower = text.toLowerCase();
  if (lower.startsWith('*.')) return { kind: 'domain', suffix: lower.slice(1) };
  const [name = '', port] = lower.split(':');
  return { kind: 'name', name, port: port === undefined ? undefined : Number(port) };
}
