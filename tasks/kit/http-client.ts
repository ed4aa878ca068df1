import type { Agent, buildConnector } from 'undici';
import { type AddressGuard, createAddressGuard } from './address-guard.ts';
import { HttpExchange } from './http-exchange.ts';
import type { HttpRequest, HttpResponse } from './http-message.ts';
import { checkedUrl } from './http-url.ts';

/**
 * HTTP for tasks: connections are reused, every one is checked by the {@link AddressGuard}, redirects are followed here, one by one,
 * so that each target is checked too, and what a response may take of time and memory is bounded.
 */
export interface HttpClient {
  /** Rejects with a PermanentError for what would go wrong again, else with any error. */
  send(request: HttpRequest): Promise<HttpResponse>;
  /** The reason why an address can never be fetched, as far as it can be seen in it: a name may come to mean anything. null when there is none. */
  faultOf(address: string): string | null;
  close(): Promise<void>;
}

export interface HttpClientOptions {
  /** Hosts, addresses and ranges that are not public and may be reached all the same. */
  allowHosts: readonly string[];
  /** Takes the secrets out of a text; by what it changes, a secret is found in a request whose definition names none. */
  mask?: ((text: string) => string) | undefined;
  /** Whether somebody else adds `traceparent` to each request; a second one would make both invalid. */
  isInstrumented?: (() => boolean) | undefined;
}

const KEEP_ALIVE_MS = 10_000;
const CONNECT_TIMEOUT_MS = 10_000;
const HEADERS_MAX_BYTES = 65_536;
/** Enough for any pool of workers; what bounds the load on a host are limiters. */
const CONNECTIONS_PER_ORIGIN = 256;

export function createHttpClient({ allowHosts, mask = (text) => text, isInstrumented = () => false }: HttpClientOptions): HttpClient {
  const guard = createAddressGuard(allowHosts);
  // Loaded with the first request: most services send none, and would start a tenth slower.
  let loading: Promise<Agent> | undefined;
  let agent: Agent | undefined;
  return {
    send: (request) =>
      new Promise((resolve, reject) => {
        const exchange = new HttpExchange(
          isInstrumented() ? { ...request, trace: null } : request,
          { mask, headersMaxBytes: HEADERS_MAX_BYTES },
          resolve,
          reject,
        );
        if (agent !== undefined) {
          exchange.begin(agent);
          return;
        }
        loading ??= load();
        loading.then((loaded) => exchange.begin(loaded), reject);
      }),
    faultOf(address) {
      try {
        const { hostname, port, protocol } = checkedUrl(address);
        guard.checkHost(hostname, Number(port || (protocol === 'https:' ? 443 : 80)));
        return null;
      } catch (error) {
        return (error as Error).message;
      }
    },
    close: async () => (await loading)?.close(),
  };

  async function load(): Promise<Agent> {
    const undici = await import('undici');
    agent = new undici.Agent({
      connect: guardedConnector(undici.buildConnector, guard),
      connections: CONNECTIONS_PER_ORIGIN,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: HEADERS_MAX_BYTES,
      // The whole exchange has one time limit, its own.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    return agent;
  }
}

/** Checks literals before, names while and addresses after connecting. */
function guardedConnector(build: typeof buildConnector, guard: AddressGuard): buildConnector.connector {
  const connect = (host: string, port: number): buildConnector.connector =>
    build({ timeout: CONNECT_TIMEOUT_MS, lookup: guard.lookupFor(host, port) } as buildConnector.BuildOptions);
  return (options, callback) => {
    const port = Number(options.port || (options.protocol === 'https:' ? 443 : 80));
    try {
      guard.checkHost(options.hostname, port);
    } catch (error) {
      callback(error as Error, null);
      return;
    }
    connect(options.hostname, port)(options, (error, socket) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      try {
        guard.checkAddress(socket.remoteAddress, options.hostname, port);
        callback(null, socket);
      } catch (refusal) {
        socket.destroy();
        callback(refusal as Error, null);
      }
    });
  };
}
