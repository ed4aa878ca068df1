/** The calls of the system that a listen makes. A folder that may not be written has the code of a port that may not be used. */
const CALLS: readonly (string | undefined)[] = ['listen', 'bind', 'getaddrinfo'];

/** Explains a failed listen to the operator; undefined when it was something else that failed. */
export function listenFault({ code, syscall }: NodeJS.ErrnoException, address: string): string | undefined {
  if (!CALLS.includes(syscall)) return undefined;
  switch (code) {
    case 'EADDRINUSE':
      return `Sluice cannot listen on ${address}: the port is in use. Set PORT to another one, or to 0 for any that is free.`;
    case 'EACCES':
      return `Sluice cannot listen on ${address}: this user may not. Set PORT to one above 1023.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `Sluice cannot listen on ${address}: this machine has no such address. Set HOST to one that it has.`;
    default:
      return undefined;
  }
}
