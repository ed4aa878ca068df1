/**
 * The routes, one file a resource. Each parses, makes one call of the engine and maps its answer; statuses of errors, schemas and
 * logging are src/http's business. A file that is not registered here doesn't exist.
 */
import type { FastifyPluginAsync } from 'fastify';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import changes from './changes.ts';
import control from './control.ts';
import eventTickets from './event-tickets.ts';
import events from './events.ts';
import feed from './feed.ts';
import feedResults from './feed-results.ts';
import feeds from './feeds.ts';
import hands from './hands.ts';
import info from './info.ts';
import items from './items.ts';
import limiters from './limiters.ts';
import logLevel from './log-level.ts';
import looking from './looking.ts';
import metrics from './metrics.ts';
import nodes from './nodes.ts';
import page from './page.ts';
import pipelines from './pipelines.ts';
import run from './run.ts';
import service from './service.ts';
import stages from './stages.ts';
import tasks from './tasks.ts';
import validation from './validation.ts';
import whoami from './whoami.ts';

const routes: FastifyPluginAsync<RouteDeps> = async (app, deps) => {
  await app.register(pipelines, deps);
  await app.register(validation, deps);
  await app.register(changes, deps);
  await app.register(control, deps);
  await app.register(stages, deps);
  await app.register(feed, deps);
  await app.register(run, deps);
  await app.register(feeds, deps);
  await app.register(feedResults, deps);
  await app.register(looking, deps);
  await app.register(items, deps);
  await app.register(events, deps);
  await app.register(eventTickets, deps);
  await app.register(tasks, deps);
  await app.register(limiters, deps);
  await app.register(hands, deps);
  await app.register(service, deps);
  await app.register(metrics, deps);
  await app.register(whoami, deps);
  await app.register(nodes, deps);
  await app.register(info, deps);
  await app.register(logLevel, deps);
  await app.register(page, deps);
};
export default routes;
