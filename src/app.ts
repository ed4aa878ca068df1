import swaggerUi from '@fastify/swagger-ui';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import registerRoutes from '../routes/index.ts';
import type { Config } from './config.ts';
import type { PipelineHost } from './engine/index.ts';
import { type Clock, silentLogger, systemClock } from './engine/ports.ts';
import { acceptJsonBodies } from './http/bodies/json-body.ts';
import { type LingerBounds, lingerAfterAnswers } from './http/bodies/lingering.ts';
import { endWithUnreadBody, giveUpUnreadBodies } from './http/bodies/unread-body.ts';
import { answerUnknownRoutes } from './http/guards/allowed-methods.ts';
import { guard } from './http/guards/auth.ts';
import { answerClientError } from './http/guards/client-error.ts';
import { closeGently, refuseChanges } from './http/guards/closing.ts';
import { refuseCrossSite } from './http/guards/cross-site.ts';
import { createHostGuard, refuseOtherHosts } from './http/guards/host-guard.ts';
import { linkNextPages } from './http/guards/next-link.ts';
import { requestIdOf } from './http/guards/request-identity.ts';
import { logRequests } from './http/guards/request-log.ts';
import { requestLogger } from './http/guards/request-logger.ts';
import { holdWhileStarting, Start } from './http/guards/starting.ts';
import { cutUnreadReplies } from './http/guards/unread-replies.ts';
import { sendProblem } from './http/problems/problem.ts';
import { DOCS_CSP, setCommonHeaders } from './http/problems/response-headers.ts';
import type { RouteDeps } from './http/routing/route-deps.ts';
import { type ApiDocument, clientDocument } from './http/schemas/client-document.ts';
import { describeApi } from './http/schemas/openapi.ts';
import { compileWhenIdle, serializerCompiler, validatorCompiler } from './http/schemas/schema-compiler.ts';
import { createSseHub } from './http/sse/hub.ts';
import { VERSION } from './version.ts';

export interface AppDeps {
  host: PipelineHost;
  /** A pino logger; without one nothing is logged. */
  logger?: FastifyBaseLogger;
  /** Called after the reply of `POST /shutdown` is sent. Without it the route only answers. */
  requestShutdown?: RouteDeps['requestShutdown'];
  /** The start of the service; it is over when absent. */
  start?: Start;
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
    Partial<Pick<Config, 'apiKeys' | 'host' | 'allowedHosts'>>,
  deps: AppDeps,
): Promise<FastifyInstance> {
  const { host, logger, clock = systemClock, start = started() } = deps;
  const { apiKeys = [], allowedHosts = [] } = config;
  const hostFault = createHostGuard({ host: config.host ?? '127.0.0.1', allowedHosts, hasKeys: apiKeys.length > 0 });
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
      void sendProblem(hostFault(request) ?? error, request, reply);
    },
    clientErrorHandler: (error, socket) => answerClientError(error, socket, app.log as never),
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
  const linger = lingerAfterAnswers(app, clock, deps.linger);
  app.addHook('onRequest', (request, reply, done) => {
    setCommonHeaders(request, reply);
    done();
  });
  // Other expectations may be ignored (RFC 9110 section 10.1.1), and Node's refusal is not a problem document.
  app.server.on('checkExpectation', (request, response) => void app.server.emit('request', request, response));
  app.setErrorHandler(sendProblem);
  refuseOtherHosts(app, hostFault);
  refuseCrossSite(app);
  guard(app, { keys: apiKeys, openPrefix: DOCS_PREFIX, host });
  closeGently(app, { isDraining: () => host.shuttingDown, endStreams: () => hub.close() });
  refuseChanges(app, () => host.shuttingDown);
  logRequests(app);
  acceptJsonBodies(app, clock);
  giveUpUnreadBodies(app, linger);
  cutUnreadReplies(app, clock);
  answerUnknownRoutes(app);
  holdWhileStarting(app, start, { host, clock });
  linkNextPages(app);
  const describeWhenIdle = await describeApi(app, VERSION);
  app.addHook('onListen', async () => {
    const prepared = start.ended.then(() => (start.isOver ? compileWhenIdle().then(describeWhenIdle) : undefined));
    prepared.catch((err: unknown) => app.log.error({ err }, 'the schema of a route cannot be compiled'));
  });

  await app.register(registerRoutes, {
    host,
    hub,
    clock,
    start,
    bodyLimitBytes: config.bodyLimitBytes,
    uploadIdleSeconds: config.uploadIdleSeconds,
    shutdownTimeoutSeconds: config.shutdownTimeoutSeconds,
    sseHeartbeatSeconds: config.sseHeartbeatSeconds,
    requestShutdown: deps.requestShutdown ?? (() => undefined),
  });
  app.get('/openapi.json', { schema: { hide: true }, config: { scope: 'public' } }, async () => app.swagger());
  let narrow: ApiDocument | undefined;
  app.get('/openapi/client.json', { schema: { hide: true }, config: { scope: 'public' } }, async () => {
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

function started(): Start {
  const start = new Start();
  start.finish();
  return start;
}
