import swaggerUi from '@fastify/swagger-ui';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import registerRoutes from '../routes/index.ts';
import { type Config, limitsInForce } from './config.ts';
import type { PipelineHost } from './engine/index.ts';
import { type Clock, silentLogger, systemClock } from './engine/ports.ts';
import { acceptJsonBodies } from './http/bodies/json-body.ts';
import { type LingerBounds, lingerAfterAnswers } from './http/bodies/lingering.ts';
import { endWithUnreadBody, giveUpUnreadBodies } from './http/bodies/unread-body.ts';
import type { ClusterView } from './http/gateway/cluster-view.ts';
import type { Gateway } from './http/gateway/gateway.ts';
import { answerUnknownRoutes } from './http/guards/allowed-methods.ts';
import { guard } from './http/guards/auth.ts';
import { answerClientError } from './http/guards/client-error.ts';
import { closeGently, refuseChanges } from './http/guards/closing.ts';
import { boundConnections } from './http/guards/connections.ts';
import { refuseCrossSite } from './http/guards/cross-site.ts';
import { createHopSeal, recogniseHops } from './http/guards/hop.ts';
import { createHostGuard, refuseOtherHosts } from './http/guards/host-guard.ts';
import { createKeyRing, type KeyRing } from './http/guards/key-ring.ts';
import { linkNextPages } from './http/guards/next-link.ts';
import { followRequests } from './http/guards/open-requests.ts';
import { holdNewItems, Overload } from './http/guards/overload.ts';
import { requestIdOf } from './http/guards/request-identity.ts';
import { logRequests } from './http/guards/request-log.ts';
import { requestLogger } from './http/guards/request-logger.ts';
import { cutRevokedKeys } from './http/guards/revoked-keys.ts';
import { holdWhileStarting, Start } from './http/guards/starting.ts';
import { createStreamRoom } from './http/guards/stream-room.ts';
import { createTickets } from './http/guards/tickets.ts';
import { cutUnreadReplies } from './http/guards/unread-replies.ts';
import { takeUpgrades } from './http/guards/upgrades.ts';
import { Metrics } from './http/metrics/metrics.ts';
import type { BuiltPage } from './http/page/built-page.ts';
import { sendProblem } from './http/problems/problem.ts';
import { createRefusals } from './http/problems/refusals.ts';
import { DOCS_CSP, setCommonHeaders } from './http/problems/response-headers.ts';
import { compressDocuments } from './http/routing/compression.ts';
import type { HandDesk, RouteDeps } from './http/routing/route-deps.ts';
import { type ApiDocument, clientDocument } from './http/schemas/client-document.ts';
import { describeApi } from './http/schemas/openapi.ts';
import { compileWhenIdle, serializerCompiler, validatorCompiler } from './http/schemas/schema-compiler.ts';
import { createSseHub } from './http/sse/hub.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { VERSION } from './version.ts';

export interface AppDeps {
  host: PipelineHost;
  /** The keys that admit callers; without it requests need none. */
  keys?: KeyRing;
  /** A pino logger; without one nothing is logged. */
  logger?: FastifyBaseLogger;
  /** Called after the reply of `POST /shutdown` is sent. Without it the route only answers. */
  requestShutdown?: RouteDeps['requestShutdown'];
  /** The start of the service; it is over when absent. */
  start?: Start;
  /** This node of a cluster; absent for a service that is none. `keys`: what the nodes sign with, see guards/hop.ts. */
  cluster?: { view: ClusterView; keys: readonly string[]; takeoverWaitSeconds: number };
  /** Says when new items are refused; they never are when absent. */
  overload?: Overload;
  /** The hands that may connect; none may when absent. */
  hands?: HandDesk;
  /** The page that `GET /` serves to browsers; when absent they get the text that everybody else gets. */
  page?: BuiltPage | null;
  /** For every deadline of the HTTP side; the machine's when absent. */
  clock?: Clock;
  /** Bounds of what is read of a body after its answer. */
  linger?: LingerBounds;
}

const DOCS_PREFIX = '/docs';
/** An item id of 512 characters takes up to nine in a path for each, percent-encoded from three bytes of UTF-8. */
const PARAM_LENGTH_MAX = 512 * 9;

/**
 * The HTTP side of the service: everything but listening and signals. `close()` ends the event streams and waits for requests
 * in flight; it leaves the host alone.
 */
export async function buildApp(
  config: Pick<Config, 'bodyLimitBytes' | 'uploadIdleSeconds' | 'shutdownTimeoutSeconds' | 'sseHeartbeatSeconds'> &
    Partial<Omit<Config, 'apiKeys'>>,
  deps: AppDeps,
): Promise<FastifyInstance> {
  const { host, logger, clock = systemClock, start = started(), overload = new Overload() } = deps;
  const { allowedHosts = [] } = config;
  const limits = { ...DEFAULT_LIMITS, ...config };
  const { keys = createKeyRing([]) } = deps;
  const hostFault = createHostGuard({ host: config.host ?? '127.0.0.1', allowedHosts, hasKeys: keys.current.length > 0 });
  // By the clock of the machine, as the instants of log lines are.
  const refusals = createRefusals({ clock: systemClock, logger: logger ?? silentLogger });
  const app: FastifyInstance = Fastify({
    ...(logger ? { loggerInstance: logger } : {}),
    // Its two lines a request are replaced by one of ours, see logRequests.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: config.bodyLimitBytes,
    genReqId: requestIdOf,
    childLoggerFactory: requestLogger,
    routerOptions: { maxParamLength: PARAM_LENGTH_MAX },
    // A request that cannot be routed passes no hook.
    frameworkErrors: (error, request, reply) => {
      endWithUnreadBody(request, reply, linger);
      metrics.followUnrouted(request, reply);
      void sendProblem(hostFault(request) ?? error, request, reply);
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, { refusals, requests }),
    // While closing, requests are still answered: readyz and feeds say in our own words that the service shuts down.
    return503OnClosing: false,
    // An NDJSON upload may take hours; its own idle timer guards it (UPLOAD_IDLE_SECONDS). Headers have ten seconds, JSON bodies a minute.
    requestTimeout: 0,
    // A request without Host is refused by the host guard, with a problem document.
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 2000, requireHostHeader: false },
    keepAliveTimeout: 72_000,
  });

  const hub = createSseHub({ logger: logger ?? silentLogger, clock, heartbeatMs: config.sseHeartbeatSeconds * 1000 });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest('problemCode', null);
  const { hands = NO_HANDS } = deps;
  const metrics = new Metrics({ host, hub, start, refusals, overload, hands, version: VERSION });
  metrics.follow(app);
  app.decorate('refusals', refusals);
  app.addHook('onClose', async () => refusals.flush());
  const linger = lingerAfterAnswers(app, clock, deps.linger);
  const requests = followRequests(app);
  app.addHook('onRequest', (request, reply, done) => {
    setCommonHeaders(request, reply);
    done();
  });
  // Other expectations may be ignored (RFC 9110 section 10.1.1), and Node's refusal is not a problem document.
  app.server.on('checkExpectation', (request, response) => void app.server.emit('request', request, response));
  app.setErrorHandler(sendProblem);
  const seal = deps.cluster ? createHopSeal(deps.cluster.keys) : null;
  recogniseHops(app, seal);
  refuseOtherHosts(app, hostFault);
  refuseCrossSite(app);
  let gateway: Gateway | undefined;
  if (deps.cluster && seal !== null) {
    // Only here is a client of HTTP needed.
    const { passToOwner } = await import('./http/gateway/gateway.ts');
    const { view, takeoverWaitSeconds } = deps.cluster;
    const options = {
      view,
      seal,
      takeoverWaitMs: takeoverWaitSeconds * 1000,
      isDraining: () => host.shuttingDown,
      openPrefix: DOCS_PREFIX,
      requests,
      linger,
      clock,
    };
    gateway = passToOwner(app, options);
    metrics.cluster = { view, counts: gateway };
  }
  const tickets = createTickets({ clock, most: limits.maxTicketsPerKey });
  guard(app, { keys, tickets, openPrefix: DOCS_PREFIX, host, clock, maxRequestsPerKey: limits.maxRequestsPerKey });
  cutRevokedKeys(app, { keys, requests, clock });
  app.addHook('preClose', () => hands.close());
  closeGently(app, { isDraining: () => host.shuttingDown, endStreams: () => hub.close() });
  app.addHook('preClose', async () => gateway?.othersGone());
  refuseChanges(app, () => host.shuttingDown);
  logRequests(app);
  acceptJsonBodies(app, clock);
  giveUpUnreadBodies(app, linger);
  cutUnreadReplies(app, clock);
  const upgradeOf = takeUpgrades(app);
  boundConnections(app, limits.maxConnections, clock);
  answerUnknownRoutes(app);
  holdWhileStarting(app, start, { host, clock });
  holdNewItems(app, overload, { host, clock });
  linkNextPages(app);
  compressDocuments(app);
  const describeWhenIdle = await describeApi(app, VERSION);
  app.addHook('onListen', async () => {
    const prepared = start.ended.then(() => (start.isOver ? compileWhenIdle().then(describeWhenIdle) : undefined));
    prepared.catch((err: unknown) => app.log.error({ err }, 'the schema of a route cannot be compiled'));
  });

  await app.register(registerRoutes, {
    host,
    hub,
    metrics,
    refusals,
    tickets,
    streams: createStreamRoom(limits),
    hands,
    upgradeOf,
    isCallerStillAllowed: ({ key, expiresAt }) => key === null || (keys.holds(key) && (expiresAt === null || expiresAt > clock.now())),
    maxItemsPerRequest: limits.maxItemsPerRequest,
    clock,
    start,
    overload,
    version: VERSION,
    limits: limitsInForce(limits),
    bodyLimitBytes: config.bodyLimitBytes,
    uploadIdleSeconds: config.uploadIdleSeconds,
    shutdownTimeoutSeconds: config.shutdownTimeoutSeconds,
    sseHeartbeatSeconds: config.sseHeartbeatSeconds,
    cluster: deps.cluster?.view ?? null,
    page: deps.page ?? null,
    needsKey: keys.current.length > 0,
    requestShutdown: deps.requestShutdown ?? (() => undefined),
  });
  app.get('/openapi.json', { schema: { hide: true }, config: { scope: 'public', everyNode: true } }, async () => app.swagger());
  let narrow: ApiDocument | undefined;
  app.get('/openapi/client.json', { schema: { hide: true }, config: { scope: 'public', everyNode: true } }, async () => {
    narrow ??= clientDocument(app.swagger() as never);
    return narrow;
  });
  await app.register(swaggerUi, {
    routePrefix: DOCS_PREFIX,
    staticCSP: DOCS_CSP,
    // Without the bar at the top: its logos bring styles of their own, which the policy does not let in, and its field asks for other documents.
    logo: null as never,
    uiConfig: { url: '/openapi.json', layout: 'BaseLayout' } as never,
  });
  return app;
}

/** For a service that takes none: a hand that comes is sent away. */
const NO_HANDS: HandDesk = {
  view: () => ({ hands: [], waiting: [] }),
  measure: () => null,
  accept: (_request, socket) => void socket.end('HTTP/1.1 501 Not Implemented\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'),
  close: async () => undefined,
};

function started(): Start {
  const start = new Start();
  start.finish();
  return start;
}
