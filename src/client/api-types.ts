/**
 * The operations and schemas of the service, as types. Made by `npm run clients:types` from openapi/client.json: edit the schemas of the code, not this file.
 */
export interface paths {
    "/pipelines": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the pipelines
         * @description All pipelines with state and headline counters, ordered by id; with `include=overview` also with what a display of all of them shows.
         *
         *     Needs the scope `read`.
         */
        get: operations["listPipelines"];
        put?: never;
        /**
         * Create a pipeline
         * @description Creates a pipeline from a definition, with the limiters in its `limits`, and starts it unless `"start": false`. A document of a definitions file with one pipeline, `{ limits, pipelines }`, is taken as well. All faults of the definition are reported at once.
         *
         *     Needs the scope `admin`.
         */
        post: operations["createPipeline"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show a pipeline
         * @description The definition with all defaults filled in, the state, and the names of the workers.
         *
         *     Needs the scope `read`.
         */
        get: operations["showPipeline"];
        /**
         * Create or redefine a pipeline
         * @description Gives the pipeline this definition; sending the same definition again changes nothing. The pipeline may be running with items in every stage: no item is lost, and none passes a stage twice. Running items finish their stage under the old definition; the others continue under the new one, after the tasks that they have already passed. Items of a removed stage continue in the next stage that remains, or are completed if there is none. A stage with the same tasks in the same position under another name counts as renamed. If the stages are reordered, each item passes the stages that it still had ahead of it, in the new order. A document of a definitions file with one pipeline, `{ limits, pipelines }`, is taken as well. A limiter in `limits` that nothing else defines is changed for all who use it; one that is no longer in it is removed.
         *
         *     Needs the scope `admin`.
         */
        put: operations["putPipeline"];
        post?: never;
        /**
         * Remove a pipeline
         * @description Also removes its results and history, and the limiters that nothing else defines, and ends its event streams. Refused while other pipelines use one of those limiters.
         *
         *     Needs the scope `admin`.
         */
        delete: operations["removePipeline"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/validate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Check a definition
         * @description Says whether the service would accept the definition now, and everything that is wrong with it; nothing is created or changed. A definition that is not valid is a 200 too. A body in YAML, or in JSON that is sent as `application/yaml`, has the line and the column of each fault. A document of a definitions file with one pipeline, `{ limits, pipelines }`, is taken as well.
         *
         *     Needs the scope `read`.
         */
        post: operations["validatePipeline"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Changes by operators
         * @description Who changed what, the newest first, as far back as events are kept. A page may have fewer changes than `limit`, or none; the list goes on as long as there is a `nextCursor`.
         *
         *     Needs the scope `read`.
         */
        get: operations["listOperatorChanges"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/start": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start a pipeline
         * @description Also restarts a stopped pipeline; items that wait in it are then run.
         *
         *     Needs the scope `operate`.
         */
        post: operations["startPipeline"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause a pipeline
         * @description Workers take no more items; running items finish. Feeding continues.
         *
         *     Needs the scope `operate`.
         */
        post: operations["pausePipeline"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume a paused pipeline
         * @description Workers take items again.
         *
         *     Needs the scope `operate`.
         */
        post: operations["resumePipeline"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/stages/{stage}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause one stage
         * @description The workers of this stage take no more items; the stages before it fill up.
         *
         *     Needs the scope `operate`.
         */
        post: operations["pauseStage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/stages/{stage}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume one stage
         * @description The workers of this stage take items again.
         *
         *     Needs the scope `operate`.
         */
        post: operations["resumeStage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/join": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Finish all items, then stop
         * @description Refuses new feeds, finishes every item in every stage, then stops the workers. Draining continues when the time is up or the client disconnects.
         *
         *     Needs the scope `admin`.
         */
        post: operations["joinPipeline"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/shutdown": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stop one pipeline
         * @description `graceful` (the default) finishes running items and leaves queued ones; `drain` finishes everything; `force` aborts.
         *
         *     Needs the scope `admin`.
         */
        post: operations["shutdownPipeline"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/stages/{stage}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Return a stage to its definition
         * @description Drops the live tuning of the stage. The stage itself stays; to remove it, PUT a definition without it.
         *
         *     Needs the scope `operate`.
         */
        delete: operations["untuneStage"];
        options?: never;
        head?: never;
        /**
         * Tune a stage while it runs
         * @description Changes to workers, limits and queue capacity take effect at once; no item is lost. A given field overrides the definition until it is changed or dropped, also after a new definition, as long as the stage exists.
         *
         *     Needs the scope `operate`.
         */
        patch: operations["tuneStage"];
        trace?: never;
    };
    "/pipelines/{id}/feed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Feed items
         * @description An object with an `id` becomes an item with that id. Its `value` is the payload if present, otherwise the whole object is; its other fields become metadata. Anything else is a payload and gets a generated id. An id that the pipeline already knows is not accepted again (see `onDuplicate`). A JSON body is accepted as a whole or not at all: without room the answer is a 429, whose `Retry-After` follows from the drain rate, or the request waits for room (`wait`). An NDJSON body may have any length: it is read only as fast as there is room. A bad line ends the request; the items before that line stay accepted. Under an `Idempotency-Key` a body that did not come to its end can be sent again from its beginning: what was accepted of it is not accepted again.
         *
         *     Needs the scope `feed`.
         */
        post: operations["feedItems"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Feed items and wait for their results
         * @description Takes the same body as feed, waits for these items only, and answers with the result of each in feed order, including failed and
         *     cancelled ones with their `error`. Starts a pipeline that is not running, unless the key has only the scope `feed`: then the answer is
         *     `not-running`. A client that disconnects does not cancel the items, unless `cancelOnDisconnect` is true. If the answer is one document,
         *     an NDJSON body may hold up to 64 MiB and a million items, and is refused as soon as it exceeds the room in the backlog.
         *
         *     An item whose id the pipeline already knows is not run again (see `onDuplicate`), but is among the results: with the result that it has, or, if it
         *     has not ended, with the one that is waited for. Its `feedId` names the feed that it came with, and `duplicates` counts such items; one that is
         *     named twice has one result. An id is known as long as its item is kept: one that retention took runs again.
         *
         *     One document holds up to 32 MiB of results. If there are more, the answer is 202, as if the time were up, with the feed (whose `done` is true)
         *     and its path in `Location`: nothing is lost, and `GET …/feeds/:feedId/results` returns the results in pages. A stream has no such limit.
         *
         *     With `Accept: application/x-ndjson` or `text/event-stream` each result is sent as soon as it is ready, in order of completion: one per
         *     line, or as an event `result`. An NDJSON body may then have any length, and the first results arrive before its last line is sent:
         *     read while you send, because the body is not read further while a thousand results are unread. `Location` is the path of the feed.
         *
         *     Such an answer starts when the first items are accepted. A later error (a bad line, a shutdown) is reported in the last line,
         *     `{"problem": {…}}`, or the last event, `problem`, after the results of all items accepted before it. When the time is up
         *     (`timeoutSeconds`), the last line is `{"pending": {…}}`, or the last event `pending`, with the current state of the feed. A successful event
         *     stream ends with the event `summary`, `{ feedId, duplicates, errorSummary }`; successful NDJSON just ends, unless there were duplicates: then its last line is
         *     `{"summary": {…}}` with the same fields.
         *
         *     Needs the scope `feed`.
         */
        post: operations["runItems"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/feeds": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Feeds
         * @description In order of creation, or the other way round: all unfinished feeds, and the newest 10 000 that are done.
         *
         *     Needs the scope `read`, or `feed`, which sees the feeds that keys of the same name made.
         */
        get: operations["listFeeds"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/feeds/{feedId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One feed
         * @description Its progress, its rate, and the estimated time for the rest.
         *
         *     Needs the scope `read`, or `feed`, for a feed that a key of the same name made.
         */
        get: operations["showFeed"];
        put?: never;
        post?: never;
        /**
         * Cancel the unfinished items of a feed
         * @description Aborts running items. A feed that is still being sent accepts no more items. Items that have ended are unaffected.
         *
         *     Needs the scope `operate`, or `feed`, for a feed that a key of the same name made.
         */
        delete: operations["cancelFeed"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/feeds/{feedId}/wait": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Wait until a feed is done
         * @description Answers when every item of the feed has ended, or when the time is up. The feed continues in either case. It also ends when the pipeline is stopped before (409 `invalid-state`) or removed (404 `pipeline-not-found`).
         *
         *     Needs the scope `read`, or `feed`, for a feed that a key of the same name made.
         */
        post: operations["waitForFeed"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/feeds/{feedId}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Run the failed items of a feed again
         * @description Each item continues from the stage where it failed.
         *
         *     Needs the scope `operate`.
         */
        post: operations["retryFeed"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/feeds/{feedId}/results": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Results of a feed
         * @description In feed order, regardless of the order of completion. By default includes every item that has ended, also failed and cancelled ones.
         *
         *     Needs the scope `read`, or `feed`, for a feed that a key of the same name made.
         */
        get: operations["listFeedResults"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/wait": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Wait for single items
         * @description Answers when all items have ended, when the first has ended or failed (`returnWhen`), or when the time is up. It also ends when the pipeline is stopped before (409 `invalid-state`) or removed (404 `pipeline-not-found`).
         *
         *     Needs the scope `read`, or `feed`, for items of feeds that a key of the same name made.
         */
        post: operations["waitForItems"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Statistics
         * @description Counters that agree with each other as of one event, `asOf`, which is stored. Subscribe to the events after it and miss nothing. While the store is not writable, they are as of the last event that is stored; rates, latencies and the bottleneck are always live.
         *
         *     Needs the scope `read`.
         */
        get: operations["showStats"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/workers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Worker names by stage
         * @description A worker is one slot of a stage, `<Stage>-W<n>`.
         *
         *     Needs the scope `read`.
         */
        get: operations["showWorkers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/workers/states": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Current state of each worker
         * @description The item and task of each worker, and the reason it waits.
         *
         *     Needs the scope `read`.
         */
        get: operations["showWorkerStates"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/workers/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Metrics of each worker
         * @description Items processed and failed, and processing time, which excludes waiting for limits.
         *
         *     Needs the scope `read`.
         */
        get: operations["showWorkerMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/snapshot": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Everything for a dashboard
         * @description Workers, statistics and errors as of one moment.
         *
         *     Needs the scope `read`.
         */
        get: operations["showSnapshot"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/errors": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Summary of failures
         * @description Counts by type and by stage, and the newest failures.
         *
         *     Needs the scope `read`.
         */
        get: operations["showErrors"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/errors/groups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Failures by their message
         * @description Groups the items that are failed now: those of one stage and one type of error whose messages differ only in ids, numbers and quoted parts. At most 1000 groups are counted one by one. The first request after a start looks at every failed item, and one with `feedId` at those of the feed.
         *
         *     Needs the scope `read`.
         */
        get: operations["listErrorGroups"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What was measured in the past
         * @description Of each stage, bucket by bucket: what came and went, how much waited, what its workers did, how long items waited and ran. The last hour is kept in buckets of five seconds, a week in buckets of five minutes; several of them as one have their counts added, their queue and workers as at the end, and as quantiles the mean of theirs. With a durable store it outlasts a restart, but for the last minute and the last five after a crash. The newest bucket may have more to come. A stage that is renamed begins anew under its new name.
         *
         *     Needs the scope `read`.
         */
        get: operations["showHistory"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/results": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Results
         * @description In feed order, regardless of the order of completion. Failed and cancelled items have their `input`: as NDJSON, they can be fed again as they are. A page by `feedId` and `status` takes a second at most: it may have fewer results than `limit`, or none; the list goes on as long as there is a `nextCursor`.
         *
         *     Needs the scope `read`.
         */
        get: operations["listResults"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/items": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Items
         * @description Where each item is, in feed order or the other way round. For `errorType`, `errorStatus`, `group`, `q` and `minAttempts` there is no index: up to 50 000 items are looked at for a page. Such a page, and one by `stage` or by `feedId` and `status`, takes a second at most, so that it may have fewer items than `limit`, or none; the list goes on as long as there is a `nextCursor`. With `order=desc`, `after` means the items with lower sequence ids.
         *
         *     Needs the scope `read`.
         */
        get: operations["listItems"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/items/{itemId}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * One item
         * @description The item with its value, the reason it waits, and its history.
         *
         *     Needs the scope `read`.
         */
        get: operations["showItem"];
        put?: never;
        post?: never;
        /**
         * Cancel an item
         * @description A running item is aborted.
         *
         *     Needs the scope `operate`.
         */
        delete: operations["cancelItem"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/items/{itemId}/value": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The value of an item
         * @description The newest value of the item as JSON and nothing else: its result if it has completed.
         *
         *     Needs the scope `read`.
         */
        get: operations["showItemValue"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/items/{itemId}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Run a failed item again
         * @description From the stage where it failed, or from `fromStage`.
         *
         *     Needs the scope `operate`.
         */
        post: operations["retryItem"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Run all failed items again
         * @description Retries the failed items that match every given field; without fields, all of them. With `dryRun` it does nothing, and says how many it would be.
         *
         *     Needs the scope `operate`.
         */
        post: operations["retryFailedItems"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel items
         * @description Cancels the unfinished items that match every given field, those that wait first; running ones are aborted. The error of an unfinished item is that of its last attempt that failed: by `group` and the like, those end that would be tried again after such an error. Items that have failed have ended, and stay as they are. With `dryRun` it does nothing, and says how many it would be.
         *
         *     Needs the scope `operate`.
         */
        post: operations["cancelItems"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow the events of a pipeline
         * @description An event stream that browsers can read with `EventSource`. It begins with `retry: 1000`.
         *
         *     | event | data | sent |
         *     |---|---|---|
         *     | `status` | `StatusEvent`: an item changed its status; `final` is true on its last event | by default |
         *     | `pipeline` | `PipelineEvent`: a change of state, live tuning | by default |
         *     | `feed` | `FeedEvent`: a feed is done, with its counts and the path of its results | by default |
         *     | `task` | `TaskEvent`: a task started, ended, is retried, or reports progress | with `types=task` |
         *     | `result` | `ItemResult`: the end of an item, with its value or error | with `types=result` |
         *     | `snapshot` | `Snapshot`, with the newest hundred failures | with `snapshotSeconds`: at once, then at that interval |
         *     | `stats` | `StatsEvent`: the statistics that change, about a kilobyte for three stages | with `statsSeconds`: at once, then at that interval |
         *     | `overview` | `OverviewEvent`: state, counters, rates and time left of each pipeline | with `overviewSeconds`, in the stream of all pipelines: at once, then at that interval |
         *     | `gap` | `{ missed, oldest }`: `missed` events, of whatever type, are no longer kept; null if the id that the reader came with is not known, so that they cannot be counted. The stream continues from `oldest`, an event id | when it happens |
         *     | `bye` | `{}` | last, when the service or the pipeline ends |
         *
         *     The first five have an `id`. With `Last-Event-ID` (or `?after=`) the stream first replays everything since that event, without a
         *     gap or a repeat, then continues live; the header takes precedence over the query. A block with only an `id` (at the start, and with the heartbeat after events that the filter left out) is not an event; it moves the point that
         *     the client resumes from. `asOf` in statistics and snapshots is such an id.
         *
         *     Nothing waits for a reader that stops reading: it continues from the events that are still kept, after a `gap` if necessary, and is disconnected after
         *     30 s. A comment line is sent every 15 s.
         *
         *     Needs the scope `read`.
         */
        get: operations["followEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow the events of all pipelines
         * @description Like the stream of one pipeline, but with `pipelineId` in each datum and its own sequence of ids; ids from the stream of a single pipeline are not valid here. `snapshotSeconds` sends a `snapshot` of each pipeline, and `statsSeconds` its `stats`, or those of the pipelines in `snapshotFor` and `statsFor` alone; `overviewSeconds` sends one `overview` of all of them. `pipelineId` is for the events that have an id. So one stream can carry the overview of all pipelines and the details of some. With a store in a file the ids go on over restarts; with `memory:` they are valid until the service restarts.
         *
         *     Needs the scope `read`.
         */
        get: operations["followAllEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/pipelines/{id}/events/tickets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Get a ticket for the events of a pipeline
         * @description `EventSource` sends no headers, and a key does not belong in an address. So a page asks for a ticket with its key, and opens the stream with
         *     `?ticket=` within 60 s. A ticket opens one stream, once, with the rights that its key has at that moment.
         *
         *     `EventSource` reconnects by itself with the same address, whose ticket is used up: the answer is a 401 `invalid-ticket`, which ends it with an event `error`
         *     and `readyState` 2 (`CLOSED`). Then get another ticket and open a new `EventSource` with `after=` and the `lastEventId` of the last event: nothing is missed and
         *     nothing repeated. Tickets work without keys as well, so a page need not know whether there are any.
         *
         *     Needs the scope `read`.
         */
        post: operations["createEventTicket"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/events/tickets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Get a ticket for the events of all pipelines
         * @description `EventSource` sends no headers, and a key does not belong in an address. So a page asks for a ticket with its key, and opens the stream with
         *     `?ticket=` within 60 s. A ticket opens one stream, once, with the rights that its key has at that moment.
         *
         *     `EventSource` reconnects by itself with the same address, whose ticket is used up: the answer is a 401 `invalid-ticket`, which ends it with an event `error`
         *     and `readyState` 2 (`CLOSED`). Then get another ticket and open a new `EventSource` with `after=` and the `lastEventId` of the last event: nothing is missed and
         *     nothing repeated. Tickets work without keys as well, so a page need not know whether there are any.
         *
         *     Needs the scope `read`.
         */
        post: operations["createAllEventsTicket"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List tasks, predicates and hooks
         * @description Lists the built-in ones and those from TASKS_DIR, ordered by name.
         *
         *     Needs the scope `read`.
         */
        get: operations["listTasks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/limiters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the shared limiters
         * @description For each limiter: how many executions it admitted that still run, how much of its window is used, when the next may begin, until when it is held, and who waits for it. Ordered by name.
         *
         *     Needs the scope `read`.
         */
        get: operations["listLimiters"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/limiters/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Return a shared limiter to its definition
         * @description Undoes what `PATCH` has changed. The limiter itself goes only with the last definition that has it. A hold stays.
         *
         *     Needs the scope `operate`.
         */
        delete: operations["resetLimiter"];
        options?: never;
        head?: never;
        /**
         * Change a shared limiter
         * @description Takes effect at once, also for waiting executions, and lasts until the definition of the limiter changes or `DELETE /limiters/{name}`; with a durable store also after a restart. `null` removes a limit, or sets what is none to its default; `heldUntil: null` ends a hold, and whoever waits goes on.
         *
         *     Needs the scope `operate`.
         */
        patch: operations["changeLimiter"];
        trace?: never;
    };
    "/hands": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Which hands are connected?
         * @description Lists the processes that are connected to make calls of tasks, predicates and hooks, with what each of them has now, and why one is given less than others: another version, missing tasks, other files. `waiting` has the calls that wait for a hand.
         *
         *     Needs the scope `read`.
         */
        get: operations["listHands"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/shutdown": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * End the service
         * @description `graceful` (the default) finishes running items and leaves queued ones in the store; `drain` finishes everything; `force` aborts. The shutdown begins when this reply is sent. The process ends with exit code 0 and one report line in the log. A later request with a harder mode overtakes it. In a cluster it ends the node that it is sent to, and no other; if that one owns, another takes over at once.
         *
         *     Needs the scope `admin`.
         */
        post: operations["shutdownService"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/livez": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Is the process alive?
         * @description 200 from the moment the service listens; stays 200 while it starts and shuts down.
         *
         *     Needs no key.
         */
        get: operations["isAlive"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Is the service ready for work?
         * @description 503 until the pipelines go on after a start, from the moment a shutdown begins, and while the store is not writable; `detail` gives the reason. A node of a cluster answers for itself: 503 `no-owner` until it has caught up with the log and knows who owns, or that nobody does, and while it owns and does not serve. While the store is not writable, reads answer with what is stored, and requests that change something get 503.
         *
         *     Needs no key.
         */
        get: operations["isReady"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/whoami": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who am I?
         * @description Name, scopes, pipelines and expiry of the key sent with the request.
         *
         *     Needs a key, of any scope.
         */
        get: operations["showCaller"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/nodes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The nodes of the cluster
         * @description The nodes that have announced themselves of late, by name, as this node knows them. Empty for a service that is no cluster.
         *
         *     Needs the scope `read`.
         */
        get: operations["listNodes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What is running here?
         * @description Version, uptime, role, kind of store, and the limits in force. No paths, addresses or names. Each node of a cluster answers for itself.
         *
         *     Needs the scope `read`.
         */
        get: operations["showInfo"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/log-level": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The level of the log
         * @description The level in force, and until when.
         *
         *     Needs the scope `admin`.
         */
        get: operations["showLogLevel"];
        /**
         * Change the level of the log
         * @description In force at once. Lines of the audit trail have the level `info`; the change itself is told at whichever level shows more.
         *
         *     Needs the scope `admin`.
         */
        put: operations["setLogLevel"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        AnyByeMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "bye";
            data: components["schemas"]["ByeEvent"];
        };
        /** @description The data of one message of the event stream of all pipelines. */
        AnyEventData: (components["schemas"]["StatusEvent"] & {
            pipelineId: string;
        }) | (components["schemas"]["TaskEvent"] & {
            pipelineId: string;
        }) | (components["schemas"]["ItemResult"] & {
            pipelineId: string;
        }) | components["schemas"]["PipelineEvent"] | components["schemas"]["FeedEvent"] | (components["schemas"]["Snapshot"] & {
            pipelineId: string;
        }) | (components["schemas"]["StatsEvent"] & {
            pipelineId: string;
        }) | components["schemas"]["GapEvent"] | components["schemas"]["ByeEvent"] | components["schemas"]["OverviewEvent"];
        /** @description One message of the event stream of all pipelines, with its `data` parsed. */
        AnyEventMessage: components["schemas"]["AnyStatusMessage"] | components["schemas"]["AnyTaskMessage"] | components["schemas"]["AnyResultMessage"] | components["schemas"]["AnyPipelineMessage"] | components["schemas"]["AnyFeedMessage"] | components["schemas"]["AnySnapshotMessage"] | components["schemas"]["AnyStatsMessage"] | components["schemas"]["AnyGapMessage"] | components["schemas"]["AnyByeMessage"] | components["schemas"]["AnyOverviewMessage"];
        AnyFeedMessage: {
            id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "feed";
            data: components["schemas"]["FeedEvent"];
        };
        AnyGapMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "gap";
            data: components["schemas"]["GapEvent"];
        };
        AnyOverviewMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "overview";
            data: components["schemas"]["OverviewEvent"];
        };
        AnyPipelineMessage: {
            id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "pipeline";
            data: components["schemas"]["PipelineEvent"];
        };
        AnyResultMessage: {
            id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "result";
            data: components["schemas"]["ItemResult"] & {
                pipelineId: string;
            };
        };
        AnySnapshotMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "snapshot";
            data: components["schemas"]["Snapshot"] & {
                pipelineId: string;
            };
        };
        AnyStatsMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "stats";
            data: components["schemas"]["StatsEvent"] & {
                pipelineId: string;
            };
        };
        AnyStatusMessage: {
            id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "status";
            data: components["schemas"]["StatusEvent"] & {
                pipelineId: string;
            };
        };
        AnyTaskMessage: {
            id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "task";
            data: components["schemas"]["TaskEvent"] & {
                pipelineId: string;
            };
        };
        Bottleneck: {
            stage: string;
            reason: components["schemas"]["WaitingReason"];
            /** @description The task whose limit holds up its workers, or that waits for a thread. */
            task: string | null;
            /** @description The shared limiter that they wait for. */
            limiter: string | null;
            /**
             * Format: date-time
             * @description When the first of them may go on, if that is known.
             */
            until: string | null;
            /** @description How many of its workers wait for that. */
            workersWaiting: number;
            workers: number;
        };
        /** @description The last event of a stream that ends with the service or the pipeline. */
        ByeEvent: Record<string, never>;
        ByeMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "bye";
            data: components["schemas"]["ByeEvent"];
        };
        Caller: {
            /** @description Name of the key; null if no keys are configured. */
            name: string | null;
            /** @description Scopes of the key; `admin` includes the others. */
            scopes: ("read" | "feed" | "operate" | "admin" | "work")[];
            /** @description The pipelines that the key is limited to; null for all. */
            pipelines: string[] | null;
            /**
             * Format: date-time
             * @description When the key expires; null if it does not.
             */
            expiresAt: string | null;
        };
        CancelBody: {
            /** @description Only items with one of these statuses. */
            status?: components["schemas"]["ItemStatus"][];
            stage?: string;
            /** @description Only items that failed with this type of error. */
            errorType?: string;
            /** @description Only items whose error carries this HTTP status. */
            errorStatus?: number;
            /** @description Only items that failed with an error of this group; see `GET …/errors/groups`. */
            group?: string;
            feedId?: string;
            /** @description Only these items; those that are not there are none. */
            itemIds?: string[];
            /** @description Only items whose metadata has all of these members, with equal values. */
            metadata?: {
                [key: string]: unknown;
            };
            /** @description Only says how many it would be. */
            dryRun?: boolean;
            /**
             * @description Every unfinished item; needed if nothing else is given.
             * @constant
             */
            all?: true;
        };
        CancelReply: {
            cancelled: number;
        };
        ClusterNode: {
            name: string;
            /** @description How the other nodes reach it. */
            url: string;
            /** @enum {string} */
            role: "owner" | "follower";
            /** @description The last position of the log that it has applied, when it last said so. */
            position: number;
            /** @description How far it is behind the log. */
            lagSeconds: number;
            /** @description Hands that are connected to it. */
            hands: number;
            version: string;
        };
        ClusterNodes: {
            nodes: components["schemas"]["ClusterNode"][];
        };
        /** @description For a key without `read`, `definition`, `definitionSource`, `fileDiffers`, `stateReason`, `workers`, `pausedReasons`, `overrides` and `secrets` are absent. */
        ControlledPipeline: {
            id: string;
            definition?: components["schemas"]["PipelineDefinition"];
            /**
             * @description `file` if the definition in force is that of a file of `PIPELINES`, otherwise `api`.
             * @enum {string}
             */
            definitionSource?: "file" | "api";
            /** @description True if the pipeline is in a file of `PIPELINES`, but was changed over the API since the file was last loaded. The change stays until the file is changed, which then takes its place. */
            fileDiffers?: boolean;
            state: components["schemas"]["PipelineState"];
            /** @description Why it is in its state if nobody asked for that: `stopped` because its definition can no longer be used, for example. Otherwise null. */
            stateReason?: string | null;
            workers?: components["schemas"]["WorkerNames"];
            pausedStages: string[];
            /** @description Why a stage is paused, by stage, if nobody asked for that: too many of its items have failed (`pauseAfterFailures`). */
            pausedReasons?: {
                [key: string]: string;
            };
            /** @description Live tuning by stage; it overrides the definition. */
            overrides?: {
                [key: string]: components["schemas"]["StageTuning"];
            };
            /** @description Sorted names of the secrets that the templates use. A template sees only the secrets that it names. */
            secrets?: string[];
            itemsProcessed: number;
            itemsFailed: number;
            itemsCancelled: number;
            itemsInFlight: number;
        };
        CreatePipelineInput: {
            id: string;
            description?: string;
            /** @default true */
            collectResults?: boolean;
            retention?: {
                maxItems?: number;
                maxAgeSeconds?: number;
            };
            backlogCapacity?: number;
            /** @description The options allowed to keys that have only the scope `feed`, beyond feeding new items to the first stage at the default priority. */
            feedOptions?: {
                /** @description Allows choosing the stage to start from. */
                targetStage?: boolean;
                /** @description Allows `onDuplicate: rerun`, which runs ended items again. */
                rerun?: boolean;
                /** @description The most urgent priority allowed, by default 100. */
                priorityMin?: number;
            };
            /** @description A hook that is told when a feed is done, with its counts and where its results are: its name, or its name with parameters. It is told at least once, also after a crash. */
            onDone?: string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
            };
            /** @description Limiters by name, at most 100. They are shared: tasks of any pipeline may name them. A limiter lives as long as a definition or a file defines it. */
            limits?: {
                [key: string]: components["schemas"]["LimiterSettings"];
            };
            stages: components["schemas"]["StageDefinitionInput"][];
            /**
             * @description `false` leaves the pipeline in the state `created`.
             * @default true
             */
            start?: boolean;
        };
        DefinitionFault: {
            path: string;
            message: string;
            /** @description The line in a YAML body, from 1. */
            line?: number;
            /** @description The column in that line, from 1. */
            column?: number;
        };
        DefinitionToCheckInput: {
            id?: string;
            description?: string;
            /** @default true */
            collectResults?: boolean;
            retention?: {
                maxItems?: number;
                maxAgeSeconds?: number;
            };
            backlogCapacity?: number;
            /** @description The options allowed to keys that have only the scope `feed`, beyond feeding new items to the first stage at the default priority. */
            feedOptions?: {
                /** @description Allows choosing the stage to start from. */
                targetStage?: boolean;
                /** @description Allows `onDuplicate: rerun`, which runs ended items again. */
                rerun?: boolean;
                /** @description The most urgent priority allowed, by default 100. */
                priorityMin?: number;
            };
            /** @description A hook that is told when a feed is done, with its counts and where its results are: its name, or its name with parameters. It is told at least once, also after a crash. */
            onDone?: string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
            };
            /** @description Limiters by name, at most 100. They are shared: tasks of any pipeline may name them. A limiter lives as long as a definition or a file defines it. */
            limits?: {
                [key: string]: components["schemas"]["LimiterSettings"];
            };
            stages: components["schemas"]["StageDefinitionInput"][];
            start?: boolean;
        };
        ErrorGroup: {
            /** @description The id of the group, for the filter `group`. It stays the same over restarts. */
            group: string;
            type: string;
            /** @description The stage in which the items failed, by the name that it had then. */
            stage: string;
            /** @description The message of one of the newest failures; its item may run again by now. */
            sample: string;
            count: number;
            /**
             * Format: date-time
             * @description When the first of the items failed that were in the group since it last was empty.
             */
            firstAt: string;
            /**
             * Format: date-time
             * @description When the newest of its items failed.
             */
            lastAt: string;
            /** @description The newest items, at most five, the newest first. */
            itemIds: string[];
        };
        ErrorGroups: {
            /** @description The groups with the most items first. */
            groups: components["schemas"]["ErrorGroup"][];
            /** @description Failed items in no group that is told. */
            otherCount: number;
        };
        ErrorSummary: {
            totalFailed: number;
            errorsByType: {
                [key: string]: number;
            };
            errorsByStage: {
                [key: string]: number;
            };
            /** @description At most 1000 failures, the newest last; the counts cover all. */
            failedItems: components["schemas"]["FailedItem"][];
        };
        /** @description The data of one message of the event stream of a pipeline. */
        EventData: components["schemas"]["StatusEvent"] | components["schemas"]["TaskEvent"] | components["schemas"]["ItemResult"] | components["schemas"]["PipelineEvent"] | components["schemas"]["FeedEvent"] | components["schemas"]["Snapshot"] | components["schemas"]["StatsEvent"] | components["schemas"]["GapEvent"] | components["schemas"]["ByeEvent"];
        /** @description One message of the event stream of a pipeline, with its `data` parsed. */
        EventMessage: components["schemas"]["StatusMessage"] | components["schemas"]["TaskMessage"] | components["schemas"]["ResultMessage"] | components["schemas"]["PipelineMessage"] | components["schemas"]["FeedMessage"] | components["schemas"]["SnapshotMessage"] | components["schemas"]["StatsMessage"] | components["schemas"]["GapMessage"] | components["schemas"]["ByeMessage"];
        EventTicket: {
            /** @description Sent once, as `?ticket=`. It is shown here only. */
            ticket: string;
            /** @description The instant from which it is refused. */
            expiresAt: string;
        };
        FailedItem: {
            itemId: string;
            error: string;
            errorType: string;
            stage: string;
            attempts: number;
            /** Format: date-time */
            timestamp: string;
        };
        Fault: {
            path: string;
            message: string;
        };
        Feed: {
            feedId: string;
            /** Format: date-time */
            createdAt: string;
            /** @description Accepted items; grows while the body is still being sent. */
            total: number;
            /** @description Items waiting for a worker, or between two attempts. */
            queued: number;
            /** @description Items that a worker is processing. */
            inProgress: number;
            completed: number;
            failed: number;
            cancelled: number;
            /** @description Items not accepted because their id was already known, in the pipeline or in this feed. */
            duplicates: number;
            /** @description True when no request is sending items for it and every item has ended. Whether all items were sent, `uploadComplete` says. */
            done: boolean;
            /** @description True when the body of the last request that sent items for it has arrived whole; false while it is being sent, and after it broke off: send the rest, or all of it, with `?append=true`. */
            uploadComplete: boolean;
            /** @description True while a request is sending items for it, and another one with `?append=true` would be refused. Once it is false, `total` + `duplicates` is how many items were taken of an upload that broke off, if each of its requests began with the item after those. */
            sending: boolean;
            /** @description Items completed or failed per second: the recent rate while the feed runs, the average when it is done. Waits between attempts count; the time in which the pipeline has nothing to do does not. */
            throughputPerSecond: number;
            /** @description Estimated time until the items accepted so far have ended, and those before them; 0 when done, null while it is unknown, or the pipeline or a stage on the way is paused. */
            etaSeconds: number | null;
        };
        FeedBody: {
            items: unknown[];
            /** @description The stage to start from; by default the first. */
            targetStage?: string;
            /** @description Lower runs sooner. Of equal priorities, what has begun in its stage goes first, such as a retry that is due; else first come, first served. */
            priority?: number;
            /** @description An id for this feed; generated by default. */
            feedId?: string;
            /** @description How to treat an id that the pipeline already knows: `skip` (the default) counts it as a duplicate, `reject` accepts nothing and lists the known ids, `rerun` runs an item that has ended again. */
            onDuplicate?: components["schemas"]["OnDuplicate"];
        };
        FeedEvent: {
            pipelineId: string;
            feedId: string;
            /** Format: date-time */
            createdAt: string;
            /** @description Accepted items; grows while the body is still being sent. */
            total: number;
            completed: number;
            failed: number;
            cancelled: number;
            /** @description Items not accepted because their id was already known, in the pipeline or in this feed. */
            duplicates: number;
            /** @description True when the body of the last request that sent items for it has arrived whole; false while it is being sent, and after it broke off: send the rest, or all of it, with `?append=true`. */
            uploadComplete: boolean;
            /** @constant */
            done: true;
            /** @description The path of the results of the feed. */
            results: string;
            /** Format: date-time */
            timestamp: string;
        };
        FeedMessage: {
            id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "feed";
            data: components["schemas"]["FeedEvent"];
        };
        FeedPage: {
            feeds: components["schemas"]["Feed"][];
            /** @description Cursor for the next page; null on the last page. */
            nextCursor: string | null;
            /** @description Number of done feeds that are no longer kept and this list therefore omits. */
            retired: number;
        };
        FeedReceipt: {
            feedId: string;
            accepted: number;
            duplicates: number;
            firstSequence: number | null;
            lastSequence: number | null;
            /** @description The id of each item, in feed order; only for JSON bodies. */
            ids?: string[];
        };
        GapEvent: {
            /** @description Number of events, of whatever type, that are no longer kept; null if the id that the reader came with is not known, so that they cannot be counted. */
            missed: number | null;
            /** @description The id of the event from which the stream continues. */
            oldest: string;
        };
        GapMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "gap";
            data: components["schemas"]["GapEvent"];
        };
        Hand: {
            /** @description Its `HAND_NAME`; a second hand of that name has a number behind it. */
            name: string;
            /** @description The version of Sluice that it runs. */
            version: string;
            /** @description Tasks, predicates and hooks that it is given. */
            tasks: string[];
            /** @description Tasks, predicates and hooks of the service that it is not given: it lacks them, or its files differ. */
            missing: string[];
            /** @description Calls that it has now, including those that were aborted and have not ended. */
            running: number;
            /** @description Calls that it takes at most at one time. */
            capacity: number;
            /**
             * Format: date-time
             * @description When it connected.
             */
            since: string;
            /** @description It has been asked to end: it is given no more. */
            leaving: boolean;
            /** @description Why it is given less than others, or nothing; null when all is well. */
            fault: string | null;
        };
        Hands: {
            /** @description The hands that are connected, in the order in which they came. */
            hands: components["schemas"]["Hand"][];
            /** @description What waits for a hand, by its task. */
            waiting: components["schemas"]["WaitingCalls"][];
        };
        HistoryBucket: {
            /**
             * Format: date-time
             * @description The beginning of the bucket.
             */
            at: string;
            /** @description Items that came into the stage. */
            in: number;
            /** @description Items that completed the stage, or skipped it. */
            out: number;
            failed: number;
            /** @description Attempts that failed and were followed by another one. */
            retried: number;
            /** @description Items that waited in the stage, at the end of the bucket. */
            queue: number;
            /** @description Workers at work, at the end of the bucket. */
            running: number;
            /** @description Workers that waited for a limit or a thread. */
            limited: number;
            /** @description Workers that waited for room in the next stage. */
            blocked: number;
            /** @description Workers without an item. */
            idle: number;
            /** @description How long items waited before their tasks ran; null when none began. */
            waitSeconds: {
                p50: number | null;
                p90: number | null;
            };
            /** @description How long their tasks ran; null when none did. */
            runSeconds: {
                p50: number | null;
                p90: number | null;
            };
        };
        ItemDetail: {
            id: string;
            sequenceId: number;
            feedId: string;
            status: components["schemas"]["ItemStatus"];
            stage: string;
            worker: string | null;
            priority: number;
            /** @description Attempts of the current task (`per_task`) or stage (`per_stage`); of an item that has ended, the last one. */
            attempts: number;
            /** @description Attempts in every stage, of every task, and in every run after a retry. */
            totalAttempts: number;
            /** Format: date-time */
            updatedAt: string;
            /** @description The error that ended the item. */
            error: components["schemas"]["ItemError"] | null;
            /** @description The error of the last attempt that failed, also when a later one succeeded; null if none has failed. */
            lastError: components["schemas"]["ItemError"] | null;
            /** @description The value as it was fed, if `include=input` asks for it; not for completed items. */
            input?: unknown;
            value: unknown;
            metadata: {
                [key: string]: unknown;
            };
            /** Format: date-time */
            acceptedAt: string;
            waitingFor: components["schemas"]["WaitingFor"] | null;
            history: components["schemas"]["StatusEvent"][];
            /** @description In place of `value`, if `preview` asks for it. */
            valuePreview?: components["schemas"]["ValuePreview"];
            /** @description In place of `input`, if `preview` asks for it. */
            inputPreview?: components["schemas"]["ValuePreview"];
            /** @description True when the oldest events of this item are no longer kept. */
            historyTruncated: boolean;
        };
        ItemError: {
            type: string;
            message: string;
            /** @description The HTTP status that the error carries, as those of `http_request` do. */
            status?: number;
            stage: string;
            attempts: number;
        };
        ItemPage: {
            items: components["schemas"]["ItemSummary"][];
            /** @description Cursor for the next page; null on the last page. */
            nextCursor: string | null;
            /** @description Number of finished items that retention has removed and this list therefore omits. */
            retired: number;
        };
        ItemResult: {
            id: string;
            value: unknown;
            sequenceId: number;
            metadata: {
                [key: string]: unknown;
            };
            error: components["schemas"]["ItemError"] | null;
            feedId: string;
            /** @description The value as it was fed; only for failed and cancelled items. */
            input?: unknown;
            /** @description In place of `value`, if `preview` asks for it. */
            valuePreview?: components["schemas"]["ValuePreview"];
            /** @description In place of `input`, if `preview` asks for it. */
            inputPreview?: components["schemas"]["ValuePreview"];
        };
        /** @enum {string} */
        ItemStatus: "queued" | "in_progress" | "completed" | "failed" | "retrying" | "skipped" | "cancelled";
        ItemSummary: {
            id: string;
            sequenceId: number;
            feedId: string;
            status: components["schemas"]["ItemStatus"];
            stage: string;
            worker: string | null;
            priority: number;
            /** @description Attempts of the current task (`per_task`) or stage (`per_stage`); of an item that has ended, the last one. */
            attempts: number;
            /** @description Attempts in every stage, of every task, and in every run after a retry. */
            totalAttempts: number;
            /** Format: date-time */
            updatedAt: string;
            /** @description The error that ended the item. */
            error: components["schemas"]["ItemError"] | null;
            /** @description The error of the last attempt that failed, also when a later one succeeded; null if none has failed. */
            lastError: components["schemas"]["ItemError"] | null;
            /** @description The value as it was fed, if `include=input` asks for it; not for completed items. */
            input?: unknown;
        };
        /** @description Any JSON value. */
        ItemValue: unknown;
        JoinBody: {
            timeoutSeconds?: number;
        };
        Limiter: {
            name: string;
            /** @description Running executions. */
            inUse: number;
            /** @description Waiting workers. */
            waiting: number;
            /** @description How much of `limit` the executions have used that began in the last `perSeconds`: their number, or the sum of their `weight`. null without a `limit`. With a `key`, `limit` is for each key, and this is the sum over all keys. */
            usedInWindow: number | null;
            /**
             * Format: date-time
             * @description When the next execution may begin, if it has to wait for the window or for the end of a hold; null if it may begin now, or waits for another one to end. With a `key`, the first of the keys that anyone waits for.
             */
            nextAt: string | null;
            /**
             * Format: date-time
             * @description The limiter admits nothing until then, because a server asked for a pause.
             */
            heldUntil: string | null;
            /** @description The limits in effect. */
            settings: {
                concurrency?: number;
                limit?: number;
                perSeconds?: number;
                key?: string;
                weight?: string;
                maxHoldSeconds: number;
                /** @enum {string} */
                onRetryAfter: "hold" | "item";
            };
            /** @description The definition; `PATCH /limiters/:name` overrides it, and `DELETE /limiters/:name` returns to it. */
            defined: components["schemas"]["LimiterSettings"];
            /** @description At most 100 of the stages whose workers wait for it, those with the most first. */
            waiters: {
                pipelineId: string;
                stage: string;
                /** @description Waiting workers of the stage. */
                count: number;
            }[];
            /** @description For a limiter with a `key`: at most 100 of its results, those with the most waiting workers first. */
            keys: {
                key: string;
                /** @description Running executions. */
                inUse: number;
                /** @description Waiting workers. */
                waiting: number;
                /** @description How much of `limit` the executions have used that began in the last `perSeconds`: their number, or the sum of their `weight`. null without a `limit`. With a `key`, `limit` is for each key, and this is the sum over all keys. */
                usedInWindow: number | null;
                /**
                 * Format: date-time
                 * @description When the next execution may begin, if it has to wait for the window or for the end of a hold; null if it may begin now, or waits for another one to end. With a `key`, the first of the keys that anyone waits for.
                 */
                nextAt: string | null;
                /**
                 * Format: date-time
                 * @description The limiter admits nothing until then, because a server asked for a pause.
                 */
                heldUntil: string | null;
            }[];
        };
        LimiterPage: {
            limiters: components["schemas"]["Limiter"][];
            /** @description Cursor for the next page; null on the last page. */
            nextCursor: string | null;
        };
        LimiterPatch: {
            /** @description Maximum number of executions at the same time. */
            concurrency?: number | null;
            /** @description Maximum that may start in any window of `perSeconds`: a number of executions, or the sum of their `weight`. */
            limit?: number | null;
            perSeconds?: number | null;
            /** @description Longest time in seconds for which an answer of a server holds the limiter; 300 by default. The item that was answered waits as long as the server says. */
            maxHoldSeconds?: number | null;
            onRetryAfter?: ("hold" | "item") | null;
            /** @description `null` ends a hold, for all keys: whoever waits goes on at once. */
            heldUntil?: null;
        };
        LimiterSettings: {
            /** @description Maximum number of executions at the same time. */
            concurrency?: number;
            /** @description Maximum that may start in any window of `perSeconds`: a number of executions, or the sum of their `weight`. */
            limit?: number;
            perSeconds?: number;
            /** @description An expression over `{ value, metadata }`. The limits apply to each of its results separately, such as each customer or host. */
            key?: string;
            /** @description An expression over `{ value, metadata }` for how much of `limit` an execution uses, such as its tokens; 1 by default. */
            weight?: string;
            /** @description Longest time in seconds for which an answer of a server holds the limiter; 300 by default. The item that was answered waits as long as the server says. */
            maxHoldSeconds?: number;
            /**
             * @description Who waits when a server answers 429, or asks for a pause by `Retry-After`: with `hold`, the default, everyone who uses the limiter (and its key); with `item` only the item that was answered.
             * @enum {string}
             */
            onRetryAfter?: "hold" | "item";
        };
        Liveness: {
            /** @constant */
            status: "ok";
        };
        LogLevel: {
            /**
             * @description The least severe level that is logged.
             * @enum {string}
             */
            level: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
            /**
             * Format: date-time
             * @description When the level of the start is in force again; null for never.
             */
            until: string | null;
        };
        LogLevelBody: {
            /**
             * @description The least severe level that is logged.
             * @enum {string}
             */
            level: "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
            /** @description After this time the level of the start is in force again. Without it, the level stays until the service ends. */
            forSeconds?: number;
        };
        MovedItems: {
            /** @description The removed stage. */
            from: string;
            /** @description The stage where its items continue; null if they are completed because no stage follows. */
            to: string | null;
            /** @description Waiting items, which moved at once. */
            items: number;
            /** @description Items in a worker: they finish under the old definition, then move. */
            running: number;
        };
        /** @enum {string} */
        OnDuplicate: "skip" | "reject" | "rerun";
        OperatorChange: {
            /** Format: date-time */
            at: string;
            /** @description The name of an API key, or a signal such as `SIGTERM`; null for a caller without a key. */
            by: string | null;
            /** @description The `change` of the event `pipeline`. */
            action: string;
            /** @description Absent if the change concerns the whole pipeline. */
            stage?: string;
            /** @description What was changed, before and after. */
            details: {
                before: unknown;
                after: unknown;
            };
        };
        OperatorChangePage: {
            changes: components["schemas"]["OperatorChange"][];
            /** @description Cursor for the next page; null on the last page. */
            nextCursor: string | null;
        };
        OverviewEvent: {
            pipelines: {
                id: string;
                state: components["schemas"]["PipelineState"];
                itemsProcessed: number;
                itemsFailed: number;
                itemsInFlight: number;
                overview: components["schemas"]["PipelineOverview"];
            }[];
            /** @description The id of an event of `GET /events` that is in these numbers, as are all before it. */
            asOf: string;
        };
        Pipeline: {
            id: string;
            definition: components["schemas"]["PipelineDefinition"];
            /**
             * @description `file` if the definition in force is that of a file of `PIPELINES`, otherwise `api`.
             * @enum {string}
             */
            definitionSource: "file" | "api";
            /** @description True if the pipeline is in a file of `PIPELINES`, but was changed over the API since the file was last loaded. The change stays until the file is changed, which then takes its place. */
            fileDiffers: boolean;
            state: components["schemas"]["PipelineState"];
            /** @description Why it is in its state if nobody asked for that: `stopped` because its definition can no longer be used, for example. Otherwise null. */
            stateReason: string | null;
            workers: components["schemas"]["WorkerNames"];
            pausedStages: string[];
            /** @description Why a stage is paused, by stage, if nobody asked for that: too many of its items have failed (`pauseAfterFailures`). */
            pausedReasons: {
                [key: string]: string;
            };
            /** @description Live tuning by stage; it overrides the definition. */
            overrides: {
                [key: string]: components["schemas"]["StageTuning"];
            };
            /** @description Sorted names of the secrets that the templates use. A template sees only the secrets that it names. */
            secrets: string[];
            itemsProcessed: number;
            itemsFailed: number;
            itemsCancelled: number;
            itemsInFlight: number;
        };
        PipelineDefinition: {
            id: string;
            description?: string;
            /** @default true */
            collectResults: boolean;
            retention?: {
                maxItems?: number;
                maxAgeSeconds?: number;
            };
            backlogCapacity?: number;
            /** @description The options allowed to keys that have only the scope `feed`, beyond feeding new items to the first stage at the default priority. */
            feedOptions?: {
                /** @description Allows choosing the stage to start from. */
                targetStage?: boolean;
                /** @description Allows `onDuplicate: rerun`, which runs ended items again. */
                rerun?: boolean;
                /** @description The most urgent priority allowed, by default 100. */
                priorityMin?: number;
            };
            /** @description A hook that is told when a feed is done, with its counts and where its results are: its name, or its name with parameters. It is told at least once, also after a crash. */
            onDone?: string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
            };
            /** @description Limiters by name, at most 100. They are shared: tasks of any pipeline may name them. A limiter lives as long as a definition or a file defines it. */
            limits?: {
                [key: string]: components["schemas"]["LimiterSettings"];
            };
            stages: components["schemas"]["StageDefinition"][];
        };
        PipelineEvent: {
            pipelineId: string;
            change: string;
            state: string;
            stage: string | null;
            /** Format: date-time */
            timestamp: string;
            /** @description Why it changed, if nobody asked for that: a stage has paused itself (`pauseAfterFailures`), or the definition can no longer be used. */
            reason?: string;
            /** @description Who asked for the change: the name of an API key, or a signal such as `SIGTERM`; null for a caller without a key. Absent if nobody did: what the pipeline does by itself has no `by`. */
            by?: string | null;
            /** @description What was changed as it was before, if somebody asked for the change; null if there was nothing. */
            before?: unknown;
            /** @description The same after the change; null if there is nothing any more. */
            after?: unknown;
        };
        PipelineHistory: {
            /**
             * Format: date-time
             * @description The beginning of the first bucket.
             */
            from: string;
            /** @description The length of each bucket. */
            bucketSeconds: number;
            /** @description Buckets of each stage, oldest first, from the first that is known of it. A removed stage is there as long as it has any. */
            stages: {
                [key: string]: components["schemas"]["HistoryBucket"][];
            };
        };
        PipelineMessage: {
            id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "pipeline";
            data: components["schemas"]["PipelineEvent"];
        };
        PipelineOverview: {
            /** @description Items that wait in a queue or between two attempts. */
            queued: number;
            /** @description Items in a worker. */
            running: number;
            /** @description How many items come into the first stage, and how many end, per second, lately. */
            ratePerSecond: {
                in: number;
                out: number;
            };
            /** @description How many items have failed in the last five minutes, or since the process started if that is less; also those that were retried since. */
            failedLastFiveMinutes: number;
            /** @description Estimated time until all items in flight have ended: 0 when there are none; null while it is unknown, or the pipeline or a stage on the way is paused. */
            etaSeconds: number | null;
            /** @description The stage that holds up the rest, never one that only waits for it; null when no item waits. `workers` is the reason only where more of them would help. */
            bottleneck: components["schemas"]["Bottleneck"] | null;
            /** @description Why a stage is paused, by stage, if nobody asked for that; absent if there is none. */
            pausedReasons?: {
                [key: string]: string;
            };
        };
        PipelinePage: {
            pipelines: components["schemas"]["PipelineSummary"][];
            /** @description Cursor for the next page; null on the last page. */
            nextCursor: string | null;
        };
        PipelinePut: {
            id: string;
            definition: components["schemas"]["PipelineDefinition"];
            /**
             * @description `file` if the definition in force is that of a file of `PIPELINES`, otherwise `api`.
             * @enum {string}
             */
            definitionSource: "file" | "api";
            /** @description True if the pipeline is in a file of `PIPELINES`, but was changed over the API since the file was last loaded. The change stays until the file is changed, which then takes its place. */
            fileDiffers: boolean;
            state: components["schemas"]["PipelineState"];
            /** @description Why it is in its state if nobody asked for that: `stopped` because its definition can no longer be used, for example. Otherwise null. */
            stateReason: string | null;
            workers: components["schemas"]["WorkerNames"];
            pausedStages: string[];
            /** @description Why a stage is paused, by stage, if nobody asked for that: too many of its items have failed (`pauseAfterFailures`). */
            pausedReasons: {
                [key: string]: string;
            };
            /** @description Live tuning by stage; it overrides the definition. */
            overrides: {
                [key: string]: components["schemas"]["StageTuning"];
            };
            /** @description Sorted names of the secrets that the templates use. A template sees only the secrets that it names. */
            secrets: string[];
            itemsProcessed: number;
            itemsFailed: number;
            itemsCancelled: number;
            itemsInFlight: number;
            /** @description Changes to the stages; empty if there are none. */
            changes: components["schemas"]["StageChange"][];
            /** @description The fields of the pipeline itself that differ, such as `retention`; empty if there are none. */
            changedFields: string[];
            /** @description For each removed stage, where its items went. */
            moved: components["schemas"]["MovedItems"][];
        };
        /** @enum {string} */
        PipelineState: "created" | "running" | "paused" | "draining" | "stopped";
        PipelineStats: {
            itemsProcessed: number;
            itemsFailed: number;
            itemsCancelled: number;
            itemsFed: number;
            itemsInFlight: number;
            queueSizes: {
                [key: string]: number;
            };
            stageStats: {
                [key: string]: components["schemas"]["StageStats"];
            };
            statusCounts: components["schemas"]["StatusCounts"];
            /** @description Items that end per second while the pipeline works: idle time and pauses are not averaged in. 0 a minute after the last end, if nothing runs. */
            throughputPerSecond: number;
            /** @description Time from acceptance to the final state, over the last minute. */
            latencySeconds: {
                p50: number | null;
                p90: number | null;
                p99: number | null;
            };
            /** @description The stage that holds up the rest, never one that only waits for it; null when no item waits. `workers` is the reason only where more of them would help. */
            bottleneck: components["schemas"]["Bottleneck"] | null;
            /** @description Estimated time until all items in flight have ended: 0 when there are none; null while it is unknown, or the pipeline or a stage on the way is paused. */
            etaSeconds: number | null;
            /** @description Task executions that still run although they timed out or were cancelled, because their handler ignores its signal. */
            handlersIgnoringSignal: number;
            asOf: string;
        };
        PipelineSummary: {
            id: string;
            description: string | null;
            state: components["schemas"]["PipelineState"];
            /** @description Why it is in its state if nobody asked for that: `stopped` because its definition can no longer be used, for example. Otherwise null. */
            stateReason: string | null;
            /** @description Names of the stages, in order. */
            stages: string[];
            itemsProcessed: number;
            itemsFailed: number;
            itemsCancelled: number;
            itemsInFlight: number;
            /** @description With `include=overview`. */
            overview?: components["schemas"]["PipelineOverview"];
        };
        Problem: {
            type: string;
            title: string;
            status: number;
            detail: string;
            instance: string;
            code: string;
            fix: string;
            errors?: components["schemas"]["Fault"][];
        } & {
            [key: string]: unknown;
        };
        PutPipelineInput: {
            id?: string;
            description?: string;
            /** @default true */
            collectResults?: boolean;
            retention?: {
                maxItems?: number;
                maxAgeSeconds?: number;
            };
            backlogCapacity?: number;
            /** @description The options allowed to keys that have only the scope `feed`, beyond feeding new items to the first stage at the default priority. */
            feedOptions?: {
                /** @description Allows choosing the stage to start from. */
                targetStage?: boolean;
                /** @description Allows `onDuplicate: rerun`, which runs ended items again. */
                rerun?: boolean;
                /** @description The most urgent priority allowed, by default 100. */
                priorityMin?: number;
            };
            /** @description A hook that is told when a feed is done, with its counts and where its results are: its name, or its name with parameters. It is told at least once, also after a crash. */
            onDone?: string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
            };
            /** @description Limiters by name, at most 100. They are shared: tasks of any pipeline may name them. A limiter lives as long as a definition or a file defines it. */
            limits?: {
                [key: string]: components["schemas"]["LimiterSettings"];
            };
            stages: components["schemas"]["StageDefinitionInput"][];
            /**
             * @description If the request creates the pipeline, `false` leaves it in the state `created`.
             * @default true
             */
            start?: boolean;
        };
        Readiness: {
            /** @constant */
            status: "ok";
            /**
             * @description Only of a node of a cluster. A `follower` is ready when it follows the log and knows who owns, or that nobody does: it passes requests on to the owner, or takes over.
             * @enum {string}
             */
            role?: "owner" | "follower";
            /** @description Only with `?verbose`. */
            store?: {
                /** @description `memory`, `sqlite` or `postgresql`. */
                kind: string;
                /** @description What the start found in the store; null for a store that keeps nothing. */
                recovered: {
                    pipelines: number;
                    queued: number;
                    /** @description Items that were running when the previous process ended; they are queued again. */
                    running: number;
                    retrying: number;
                    /** @description Items that were running in `MAX_DELIVERIES` crashed processes; they have failed. */
                    poisoned: number;
                    seconds: number;
                } | null;
                /** @description Stored pipelines that are `stopped` because their definitions name what is no longer there: a task, a secret, a limiter. */
                unusable: {
                    pipelineId: string;
                    reason: string;
                }[];
            };
            /** @description Only with `?verbose`: why new items are refused now, since the service has more to do than it can; null when it does not. */
            overloaded?: string | null;
        };
        ResultMessage: {
            id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "result";
            data: components["schemas"]["ItemResult"];
        };
        ResultPage: {
            results: components["schemas"]["ItemResult"][];
            /** @description Cursor for the next page; null on the last page. */
            nextCursor: string | null;
            /** @description Number of finished items that retention has removed and this list therefore omits. */
            retired: number;
        };
        RetryBody: {
            /** @description Only items with one of these statuses. */
            status?: components["schemas"]["ItemStatus"][];
            stage?: string;
            /** @description Only items that failed with this type of error. */
            errorType?: string;
            /** @description Only items whose error carries this HTTP status. */
            errorStatus?: number;
            /** @description Only items that failed with an error of this group; see `GET …/errors/groups`. */
            group?: string;
            feedId?: string;
            /** @description Only these items; those that are not there are none. */
            itemIds?: string[];
            /** @description Only items whose metadata has all of these members, with equal values. */
            metadata?: {
                [key: string]: unknown;
            };
            /** @description Only says how many it would be. */
            dryRun?: boolean;
        };
        RetryReply: {
            retried: number;
        };
        /** @enum {string} */
        ReturnWhen: "ALL_COMPLETED" | "FIRST_COMPLETED" | "FIRST_EXCEPTION";
        RunReply: {
            feedId: string;
            /** @description Items not accepted because their id was already known; their results are among the others. */
            duplicates: number;
            results: components["schemas"]["ItemResult"][];
            errorSummary: components["schemas"]["ErrorSummary"];
        };
        ServiceInfo: {
            version: string;
            /** @description Version of Node.js. */
            node: string;
            /** Format: date-time */
            startedAt: string;
            uptimeSeconds: number;
            /**
             * @description `single` for a service that is no cluster. Of a node of a cluster: whether it owns the pipelines now.
             * @enum {string}
             */
            role: "single" | "owner" | "follower";
            store: {
                /** @description `memory`, `sqlite` or `postgresql`. */
                kind: string;
                /** @description Whether what is accepted outlives the process. */
                isDurable: boolean;
            };
            /** @description The limits in force, each under the name of its variable in camelCase: `bodyLimitBytes` is `BODY_LIMIT_BYTES`. */
            limits: {
                [key: string]: number;
            };
        };
        ShutdownBody: {
            mode?: components["schemas"]["ShutdownMode"];
            timeoutSeconds?: number;
        };
        /** @enum {string} */
        ShutdownMode: "graceful" | "drain" | "force";
        ShutdownPlan: {
            mode: components["schemas"]["ShutdownMode"];
            /** @description Items still running after this time are aborted. */
            timeoutSeconds: number;
            pipelines: number;
            /** @description Unfinished items at this moment, including queued ones. */
            itemsInFlight: number;
        };
        ShutdownReport: {
            /** @description The mode in which the shutdown ended: `force` if the time was up. */
            mode: components["schemas"]["ShutdownMode"];
            /** @description Items that reached a final state during the shutdown. */
            finished: number;
            /** @description Unfinished items left in the store. */
            leftQueued: number;
            /** @description Aborted task executions; their items are among those left queued. */
            aborted: number;
            /** @description Items among those left that are lost with the process because the store is not durable. */
            notKept: number;
            /** @description The first 100 of their ids. */
            notKeptIds: string[];
            timedOut: boolean;
        };
        Snapshot: {
            workerStates: components["schemas"]["WorkerStates"];
            workerMetrics: components["schemas"]["WorkerMetricsMap"];
            pipelineStats: components["schemas"]["PipelineStats"];
            errorSummary: components["schemas"]["ErrorSummary"];
            /** Format: date-time */
            timestamp: string;
            asOf: string;
        };
        SnapshotMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "snapshot";
            data: components["schemas"]["Snapshot"];
        };
        StageChange: {
            stage: string;
            /**
             * @description `renamed`: the stage took the place of a removed one with the same tasks. `reordered`: its position among the remaining stages changed.
             * @enum {string}
             */
            change: "added" | "removed" | "renamed" | "reordered" | "changed";
            /** @description The previous name of a renamed stage. */
            from?: string;
            /** @description The fields of a changed stage that differ. */
            fields?: string[];
        };
        StageDefinition: {
            name: string;
            /**
             * @description Maximum number of items that run in this stage at the same time.
             * @default 1
             */
            workers: number;
            tasks: (string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
                /** @description A limiter of `limits`, shared by every task that names it, in any pipeline; or a list of them, all of which must have room. */
                limiter?: string | string[];
            })[];
            /**
             * @description `per_task` repeats the failed task; `per_stage` restarts the stage with the value that entered it.
             * @default per_task
             * @enum {string}
             */
            retry: "per_task" | "per_stage";
            /**
             * @description Maximum number of executions of a task (`per_task`).
             * @default 3
             */
            taskAttempts: number;
            /**
             * @description The wait before a retry; for `exponential`, the first wait.
             * @default 1
             */
            taskWaitSeconds: number;
            /**
             * @default fixed
             * @enum {string}
             */
            backoff: "fixed" | "exponential";
            /** @default 300 */
            maxWaitSeconds: number;
            /**
             * @description Each wait is multiplied by 1 ± jitter.
             * @default 0
             */
            jitter: number;
            taskTimeoutSeconds?: number;
            /**
             * @description Maximum number of executions of the whole stage (`per_stage`).
             * @default 3
             */
            stageAttempts: number;
            /**
             * @description Spread an array as positional arguments before `ctx`.
             * @default false
             */
            unpackArgs: boolean;
            /** @default {} */
            taskConcurrencyLimits: {
                [key: string]: number;
            };
            /** @default {} */
            taskRateLimits: {
                [key: string]: {
                    limit: number;
                    perSeconds: number;
                };
            };
            /** @description A hook: its name, or its name with parameters. */
            onSuccess?: string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
            };
            /** @description A hook: its name, or its name with parameters. */
            onFailure?: string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
            };
            /** @description A hook: its name, or its name with parameters. */
            onSkip?: string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
            };
            /** @description A predicate: its name, or its name with parameters. */
            skipIf?: string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
            };
            /** @description Pauses the stage once `count` items have failed in it within `withinSeconds`. What was not tried waits until the stage is resumed. */
            pauseAfterFailures?: {
                count: number;
                withinSeconds: number;
                /** @description A hook that is called once when the stage is paused, with the error of the last item: its name, or its name with parameters. */
                hook?: string | {
                    task: string;
                    /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                    with?: {
                        [key: string]: unknown;
                    };
                };
            };
            /**
             * @description The process that runs the tasks of this stage: `here`, the service itself; `hands`, always a hand, for which an item waits while none is there (`waitingFor: hand`); `thread`, a worker thread of the service. By default your own tasks, `http_request` and `http_notify` go to a hand while hands are connected, and all else runs here. Your predicates and hooks go the same way.
             * @enum {string}
             */
            runOn?: "here" | "hands" | "thread";
            /** @description Maximum number of items that wait here after the previous stage has handed them over; by default max(100, workers × 10). */
            queueCapacity?: number;
            /**
             * @description No buffer: a worker of the previous stage keeps its item until a worker here is free.
             * @default false
             */
            pull: boolean;
        };
        StageDefinitionInput: {
            name: string;
            /**
             * @description Maximum number of items that run in this stage at the same time.
             * @default 1
             */
            workers?: number;
            tasks: (string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
                /** @description A limiter of `limits`, shared by every task that names it, in any pipeline; or a list of them, all of which must have room. */
                limiter?: string | string[];
            })[];
            /**
             * @description `per_task` repeats the failed task; `per_stage` restarts the stage with the value that entered it.
             * @default per_task
             * @enum {string}
             */
            retry?: "per_task" | "per_stage";
            /**
             * @description Maximum number of executions of a task (`per_task`).
             * @default 3
             */
            taskAttempts?: number;
            /**
             * @description The wait before a retry; for `exponential`, the first wait.
             * @default 1
             */
            taskWaitSeconds?: number;
            /**
             * @default fixed
             * @enum {string}
             */
            backoff?: "fixed" | "exponential";
            /** @default 300 */
            maxWaitSeconds?: number;
            /**
             * @description Each wait is multiplied by 1 ± jitter.
             * @default 0
             */
            jitter?: number;
            taskTimeoutSeconds?: number;
            /**
             * @description Maximum number of executions of the whole stage (`per_stage`).
             * @default 3
             */
            stageAttempts?: number;
            /**
             * @description Spread an array as positional arguments before `ctx`.
             * @default false
             */
            unpackArgs?: boolean;
            /** @default {} */
            taskConcurrencyLimits?: {
                [key: string]: number;
            };
            /** @default {} */
            taskRateLimits?: {
                [key: string]: {
                    limit: number;
                    perSeconds: number;
                };
            };
            /** @description A hook: its name, or its name with parameters. */
            onSuccess?: string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
            };
            /** @description A hook: its name, or its name with parameters. */
            onFailure?: string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
            };
            /** @description A hook: its name, or its name with parameters. */
            onSkip?: string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
            };
            /** @description A predicate: its name, or its name with parameters. */
            skipIf?: string | {
                task: string;
                /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                with?: {
                    [key: string]: unknown;
                };
            };
            /** @description Pauses the stage once `count` items have failed in it within `withinSeconds`. What was not tried waits until the stage is resumed. */
            pauseAfterFailures?: {
                count: number;
                withinSeconds: number;
                /** @description A hook that is called once when the stage is paused, with the error of the last item: its name, or its name with parameters. */
                hook?: string | {
                    task: string;
                    /** @description Parameters, as defined by the task’s own schema. Strings may contain templates, `{{ … }}`. */
                    with?: {
                        [key: string]: unknown;
                    };
                };
            };
            /**
             * @description The process that runs the tasks of this stage: `here`, the service itself; `hands`, always a hand, for which an item waits while none is there (`waitingFor: hand`); `thread`, a worker thread of the service. By default your own tasks, `http_request` and `http_notify` go to a hand while hands are connected, and all else runs here. Your predicates and hooks go the same way.
             * @enum {string}
             */
            runOn?: "here" | "hands" | "thread";
            /** @description Maximum number of items that wait here after the previous stage has handed them over; by default max(100, workers × 10). */
            queueCapacity?: number;
            /**
             * @description No buffer: a worker of the previous stage keeps its item until a worker here is free.
             * @default false
             */
            pull?: boolean;
        };
        StageSettings: {
            workers: number;
            taskConcurrencyLimits: {
                [key: string]: number;
            };
            taskRateLimits: {
                [key: string]: {
                    limit: number;
                    perSeconds: number;
                };
            };
            queueCapacity: number;
        };
        StageStats: {
            stageName: string;
            /** @description Items waiting in the queue of this stage, or between two attempts. */
            pendingItems: number;
            /** @description Items in a worker of this stage. */
            inProgressItems: number;
            completedItems: number;
            failedItems: number;
            skippedItems: number;
            retriedItems: number;
            /** @description How many items come into the stage, and go on from it (completed or skipped), per second, lately. */
            ratePerSecond: {
                in: number;
                out: number;
            };
            /** @description How long items waited in the stage for a worker, a limit or a thread, over the last minute, each time a worker had one; null if none had. */
            waitSeconds: {
                p50: number | null;
                p90: number | null;
            };
            /** @description How long the tasks of the stage ran for an item, without waits, over the last minute, each time a worker had one; null if none had. */
            runSeconds: {
                p50: number | null;
                p90: number | null;
            };
            /** @description How long the item has been in the stage that has been there the longest; after a restart, since its status last changed. null: no item is there. */
            oldestItemAgeSeconds: number | null;
            /** @description The workers of the stage by what they do: a task runs; it waits for a limit or a thread; it is done, and the next stage has no room; it has no item. */
            workers: {
                running: number;
                limited: number;
                blocked: number;
                idle: number;
            };
        };
        StageTuned: {
            stage: string;
            /** @description The settings in effect. */
            effective: components["schemas"]["StageSettings"];
            /** @description The settings of the definition. */
            defined: components["schemas"]["StageSettings"];
        };
        StageTuning: {
            /** @description Surplus workers stop after their current item; new ones start at once. */
            workers?: number;
            /** @description Replaces all limits of this kind: a task that is not named has none. */
            taskConcurrencyLimits?: {
                [key: string]: number;
            };
            /** @description Replaces all limits of this kind: a task that is not named has none. */
            taskRateLimits?: {
                [key: string]: {
                    limit: number;
                    perSeconds: number;
                };
            };
            queueCapacity?: number;
        };
        StatsEvent: {
            asOf: string;
            state: components["schemas"]["PipelineState"];
            itemsFed: number;
            itemsProcessed: number;
            itemsFailed: number;
            itemsCancelled: number;
            itemsInFlight: number;
            /** @description Items that end per second while the pipeline works: idle time and pauses are not averaged in. 0 a minute after the last end, if nothing runs. */
            throughputPerSecond: number;
            /** @description Estimated time until all items in flight have ended: 0 when there are none; null while it is unknown, or the pipeline or a stage on the way is paused. */
            etaSeconds: number | null;
            /** @description Time from acceptance to the final state, over the last minute. */
            latencySeconds: {
                p50: number | null;
                p90: number | null;
                p99: number | null;
            };
            /** @description The stage that holds up the rest, never one that only waits for it; null when no item waits. `workers` is the reason only where more of them would help. */
            bottleneck: components["schemas"]["Bottleneck"] | null;
            stages: {
                [key: string]: {
                    /** @description Items waiting in the queue of this stage, or between two attempts. */
                    pendingItems: number;
                    /** @description Items in a worker of this stage. */
                    inProgressItems: number;
                    completedItems: number;
                    failedItems: number;
                    skippedItems: number;
                    retriedItems: number;
                    /** @description How many items come into the stage, and go on from it (completed or skipped), per second, lately. */
                    ratePerSecond: {
                        in: number;
                        out: number;
                    };
                    /** @description How long items waited in the stage for a worker, a limit or a thread, over the last minute, each time a worker had one; null if none had. */
                    waitSeconds: {
                        p50: number | null;
                        p90: number | null;
                    };
                    /** @description How long the tasks of the stage ran for an item, without waits, over the last minute, each time a worker had one; null if none had. */
                    runSeconds: {
                        p50: number | null;
                        p90: number | null;
                    };
                    /** @description How long the item has been in the stage that has been there the longest; after a restart, since its status last changed. null: no item is there. */
                    oldestItemAgeSeconds: number | null;
                    /** @description The workers of the stage by what they do: a task runs; it waits for a limit or a thread; it is done, and the next stage has no room; it has no item. */
                    workers: {
                        running: number;
                        limited: number;
                        blocked: number;
                        idle: number;
                    };
                };
            };
        };
        StatsMessage: {
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "stats";
            data: components["schemas"]["StatsEvent"];
        };
        StatusCounts: {
            queued: number;
            in_progress: number;
            completed: number;
            failed: number;
            retrying: number;
            skipped: number;
            cancelled: number;
        };
        StatusEvent: {
            itemId: string;
            feedId: string;
            stage: string;
            status: components["schemas"]["ItemStatus"];
            /** @description True on the event that ends the item. */
            final: boolean;
            worker: string | null;
            /** Format: date-time */
            timestamp: string;
            /** @description Details of the status: the error and next attempt of a retry, the error of a failure. */
            metadata: {
                [key: string]: unknown;
            };
        };
        StatusMessage: {
            id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "status";
            data: components["schemas"]["StatusEvent"];
        };
        TaskEvent: {
            itemId: string;
            stage: string;
            taskName: string;
            worker: string;
            eventType: components["schemas"]["TaskEventType"];
            attempt: number;
            /** Format: date-time */
            timestamp: string;
            error: {
                type: string;
                message: string;
            } | null;
            durationSeconds: number | null;
            taskStatus?: string;
            fraction?: number;
        };
        /** @enum {string} */
        TaskEventType: "start" | "complete" | "retry" | "fail" | "progress";
        TaskInfo: {
            name: string;
            /** @enum {string} */
            kind: "task" | "predicate" | "hook";
            description: string;
            /** @description JSON Schema of the task’s parameters (`with`). */
            paramsSchema: {
                [key: string]: unknown;
            } | null;
        };
        TaskMessage: {
            id: string;
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            event: "task";
            data: components["schemas"]["TaskEvent"];
        };
        TaskPage: {
            tasks: components["schemas"]["TaskInfo"][];
            /** @description Cursor for the next page; null on the last page. */
            nextCursor: string | null;
        };
        Validation: {
            /** @description Whether a `PUT` of this definition would be accepted now. */
            valid: boolean;
            /** @description Everything that is wrong; empty if it is valid. */
            errors: components["schemas"]["DefinitionFault"][];
            /** @description The definition with all defaults filled in, if it is valid. */
            definition?: components["schemas"]["PipelineDefinition"];
            /** @description With `against`: the changes to the stages, as a `PUT` would make them. */
            changes?: components["schemas"]["StageChange"][];
            /** @description With `against`: the fields of the pipeline itself that differ, such as `retention`; empty if there are none. */
            changedFields?: string[];
            /** @description With `against`: for each stage that would be removed, where the items that it has now would go. */
            moved?: components["schemas"]["MovedItems"][];
        };
        ValuePreview: {
            /** @description The beginning of the value as JSON. */
            text: string;
            /** @description How long all of it is, in bytes of UTF-8. */
            bytes: number;
            /** @description Whether `text` is all of it. */
            complete: boolean;
        };
        WaitBodyInput: {
            itemIds: (string | number)[];
            /**
             * @description When to answer: once all items have ended, once any has ended, or once any has failed. Items that ended before the request count.
             * @default ALL_COMPLETED
             */
            returnWhen?: components["schemas"]["ReturnWhen"];
            /** @description Maximum time to wait; without it, as long as it takes. */
            timeoutSeconds?: number;
        };
        WaitReply: {
            /** @description Results of the items that have ended, in the order of `itemIds`. */
            done: components["schemas"]["ItemResult"][];
            /** @description Ids of the items that have not ended, in the order of `itemIds`. */
            pending: string[];
            /** @description Ids of items that have ended but whose results do not fit into this answer (32 MiB). Ask for fewer items at a time. */
            omitted?: string[];
        };
        WaitingCalls: {
            task: string;
            /** @enum {string} */
            kind: "task" | "predicate" | "hook";
            /** @description Calls that wait for a hand. */
            calls: number;
            why: string;
        };
        /** @description The reason why an unfinished item waits; `until` if that is known. */
        WaitingFor: {
            reason: components["schemas"]["WaitingReason"];
            /** Format: date-time */
            until?: string;
            task?: string;
            limiter?: string;
            stage?: string;
        };
        /** @enum {string} */
        WaitingReason: "workers" | "task-limit" | "rate-limit" | "thread" | "hand" | "retry" | "next-stage-full" | "paused";
        WorkerMetrics: {
            workerName: string;
            stage: string;
            itemsProcessed: number;
            itemsFailed: number;
            totalProcessingTimeSeconds: number;
            avgProcessingTimeSeconds: number;
            /** Format: date-time */
            lastActive: string | null;
        };
        WorkerMetricsMap: {
            [key: string]: components["schemas"]["WorkerMetrics"];
        };
        WorkerNames: {
            [key: string]: string[];
        };
        WorkerState: {
            workerName: string;
            stage: string;
            /** @enum {string} */
            status: "idle" | "busy";
            currentItemId: string | null;
            currentTask: string | null;
            taskStatus: string | null;
            /** Format: date-time */
            processingSince: string | null;
            waitingFor: components["schemas"]["WaitingFor"] | null;
        };
        WorkerStates: {
            [key: string]: components["schemas"]["WorkerState"];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    listPipelines: {
        parameters: {
            query?: {
                /**
                 * @description Maximum number of rows per page, by default 100. A page of large rows ends early, with the row that brings it to 8 MiB; `nextCursor` says whether more follow.
                 * @example 100
                 */
                limit?: number;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description Also queue, rates, failures, time left and bottleneck of each pipeline. */
                include?: "overview";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of pipelines. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PipelinePage"];
                };
            };
            /** @description `invalid-cursor`, `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createPipeline: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CreatePipelineInput"];
            };
        };
        responses: {
            /** @description Created. `Location` is the path of the pipeline. */
            201: {
                headers: {
                    /** @description The path of the new resource. */
                    location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pipeline"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showPipeline: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The pipeline. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Pipeline"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    putPipeline: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PutPipelineInput"];
            };
        };
        responses: {
            /** @description Redefined, or unchanged. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PipelinePut"];
                };
            };
            /** @description Created. `Location` is the path of the pipeline. */
            201: {
                headers: {
                    /** @description The path of the new resource. */
                    location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PipelinePut"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    removePipeline: {
        parameters: {
            query?: {
                /** @description `drain` finishes the items first; `force` aborts and removes them. Without `mode` the request is refused while items are unfinished. */
                mode?: "drain" | "force";
            };
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Removed. */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    validatePipeline: {
        parameters: {
            query?: {
                /**
                 * @description The id of a pipeline that the definition is meant for: the answer then says what a `PUT` would change.
                 * @example orders
                 */
                against?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["DefinitionToCheckInput"];
            };
        };
        responses: {
            /** @description The outcome. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Validation"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listOperatorChanges: {
        parameters: {
            query?: {
                /**
                 * @description Maximum number of rows per page, by default 100. A page of large rows ends early, with the row that brings it to 8 MiB; `nextCursor` says whether more follow.
                 * @example 100
                 */
                limit?: number;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of changes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OperatorChangePage"];
                };
            };
            /** @description `invalid-cursor`, `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    startPipeline: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The pipeline after the change. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ControlledPipeline"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pausePipeline: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The pipeline after the change. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ControlledPipeline"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resumePipeline: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The pipeline after the change. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ControlledPipeline"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    pauseStage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The name of a stage, percent-encoded.
                 * @example Price
                 */
                stage: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The pipeline after the change. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ControlledPipeline"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resumeStage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The name of a stage, percent-encoded.
                 * @example Price
                 */
                stage: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The pipeline after the change. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ControlledPipeline"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    joinPipeline: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["JoinBody"];
            };
        };
        responses: {
            /** @description Everything is finished. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PipelineStats"];
                };
            };
            /** @description The time is up and the pipeline is still draining. The statistics so far. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PipelineStats"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    shutdownPipeline: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ShutdownBody"];
            };
        };
        responses: {
            /** @description The pipeline has stopped; the report says what happened to its items. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ShutdownReport"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    untuneStage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The name of a stage, percent-encoded.
                 * @example Price
                 */
                stage: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The values in effect, now those of the definition. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StageTuned"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    tuneStage: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The name of a stage, percent-encoded.
                 * @example Price
                 */
                stage: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["StageTuning"];
            };
        };
        responses: {
            /** @description The values in effect, and those of the definition. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StageTuned"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    feedItems: {
        parameters: {
            query?: {
                /** @description The stage to start from; by default the first. */
                targetStage?: string;
                /**
                 * @description Lower runs sooner. Of equal priorities, what has begun in its stage goes first, such as a retry that is due; else first come, first served.
                 * @example 100
                 */
                priority?: number;
                /** @description An id for this feed; generated by default. */
                feedId?: string;
                /** @description How to treat an id that the pipeline already knows: `skip` (the default) counts it as a duplicate, `reject` accepts nothing and lists the known ids, `rerun` runs an item that has ended again. */
                onDuplicate?: components["schemas"]["OnDuplicate"];
                /** @description What becomes of integers that a JSON number of 64 bits cannot hold, such as 1050118621198921728: `refuse` (the default) refuses the item, `lossy` takes the nearest number. The id of an item keeps all its digits in either case. */
                bigNumbers?: "refuse" | "lossy";
                /**
                 * @description The member that is the id of an item, in place of `id`: `custom_id` for lines of an OpenAI batch. Each item must have it.
                 * @example custom_id
                 */
                idField?: string;
                /**
                 * @description Seconds to wait for room for all items, instead of answering 429 at once. NDJSON that is streamed in always waits for room.
                 * @example 10
                 */
                wait?: number;
                /** @description Continues the feed of `feedId` after a break, or opens it if there is none. Send the items after the first `total` + `duplicates` of the feed, after each break. Or, if all of them have ids, send them again from the beginning, each time: those that the feed has are not accepted again, and count as duplicates. The answer is about this request. Not with an `Idempotency-Key`. */
                append?: boolean;
            };
            header?: {
                /**
                 * @description Makes the request safe to repeat: a request with the same key gets the first answer again, and waits for it while the first request is still running. A different request with the same key is refused. Each API key has its own set of keys. A refused request may be sent again under its key. If a streamed NDJSON body breaks off, or the service crashes meanwhile, send the body again from its beginning: the items that were accepted are compared and not fed again, the rest is, and the answer is about all of them. Keys are kept for a day, the newest 10 000 of each pipeline (`MAX_IDEMPOTENCY_KEYS`).
                 * @example order-import-2026-11-23
                 */
                "idempotency-key"?: string;
            };
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FeedBody"];
            };
        };
        responses: {
            /** @description Accepted, as durably as the store allows. `Location` is the path of the feed. The header `idempotency-replayed: true` marks the answer to an earlier request with the same key. */
            202: {
                headers: {
                    /** @description The path of the new resource. */
                    location?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FeedReceipt"];
                };
            };
            /** @description `malformed-line`, `line-too-large`, `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    runItems: {
        parameters: {
            query?: {
                /** @description The stage to start from; by default the first. */
                targetStage?: string;
                /**
                 * @description Lower runs sooner. Of equal priorities, what has begun in its stage goes first, such as a retry that is due; else first come, first served.
                 * @example 100
                 */
                priority?: number;
                /** @description An id for this feed; generated by default. */
                feedId?: string;
                /** @description How to treat an id that the pipeline already knows: `skip` (the default) counts it as a duplicate, `reject` accepts nothing and lists the known ids, `rerun` runs an item that has ended again. */
                onDuplicate?: components["schemas"]["OnDuplicate"];
                /** @description What becomes of integers that a JSON number of 64 bits cannot hold, such as 1050118621198921728: `refuse` (the default) refuses the item, `lossy` takes the nearest number. The id of an item keeps all its digits in either case. */
                bigNumbers?: "refuse" | "lossy";
                /**
                 * @description The member that is the id of an item, in place of `id`: `custom_id` for lines of an OpenAI batch. Each item must have it.
                 * @example custom_id
                 */
                idField?: string;
                /**
                 * @description Seconds to wait for room for all items, instead of answering 429 at once. NDJSON that is streamed in always waits for room.
                 * @example 10
                 */
                wait?: number;
                /** @description Maximum time to wait for the items; without it, as long as it takes. The items continue after that. */
                timeoutSeconds?: number;
                /** @description Cancel unfinished items when the client disconnects. */
                cancelOnDisconnect?: boolean;
            };
            header?: {
                /**
                 * @description Makes the request safe to repeat: a request with the same key gets the first answer again, and waits for it while the first request is still running. A different request with the same key is refused. Each API key has its own set of keys. A refused request may be sent again under its key. If a streamed NDJSON body breaks off, or the service crashes meanwhile, send the body again from its beginning: the items that were accepted are compared and not fed again, the rest is, and the answer is about all of them. Keys are kept for a day, the newest 10 000 of each pipeline (`MAX_IDEMPOTENCY_KEYS`).
                 * @example order-import-2026-11-23
                 */
                "idempotency-key"?: string;
            };
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["FeedBody"];
            };
        };
        responses: {
            /** @description Every item has ended; as a stream, each as it ends. The header `idempotency-replayed: true` marks the answer to an earlier request with the same key. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunReply"];
                };
            };
            /** @description The time is up, or the results are too large for one document (`done` is true then); the feed as it is now. `Location` is its address. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Feed"];
                };
            };
            /** @description `malformed-line`, `line-too-large`, `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listFeeds: {
        parameters: {
            query?: {
                /**
                 * @description Maximum number of rows per page, by default 100. A page of large rows ends early, with the row that brings it to 8 MiB; `nextCursor` says whether more follow.
                 * @example 100
                 */
                limit?: number;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description `desc`: the newest feeds first. */
                order?: "asc" | "desc";
            };
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of feeds. As `application/x-ndjson` one row per line, up to `limit` or the end of the list. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FeedPage"];
                };
            };
            /** @description `invalid-cursor`, `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showFeed: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The id of a feed.
                 * @example my-batch-7
                 */
                feedId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The feed. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Feed"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancelFeed: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The id of a feed.
                 * @example my-batch-7
                 */
                feedId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The number of items. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CancelReply"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    waitForFeed: {
        parameters: {
            query?: {
                /** @description Maximum time to wait; without it, as long as it takes. */
                timeoutSeconds?: number;
            };
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The id of a feed.
                 * @example my-batch-7
                 */
                feedId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The feed is done. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Feed"];
                };
            };
            /** @description The time is up. The current state of the feed. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Feed"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    retryFeed: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The id of a feed.
                 * @example my-batch-7
                 */
                feedId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The number of items. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RetryReply"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listFeedResults: {
        parameters: {
            query?: {
                /**
                 * @description Maximum number of rows per page, by default 100. A page of large rows ends early, with the row that brings it to 8 MiB; `nextCursor` says whether more follow.
                 * @example 100
                 */
                limit?: number;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /** @description How the items ended. */
                status?: "completed" | "failed" | "cancelled" | "all";
            };
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The id of a feed.
                 * @example my-batch-7
                 */
                feedId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of results. As `application/x-ndjson` one row per line, up to `limit` or the end of the list. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResultPage"];
                };
            };
            /** @description `invalid-cursor`, `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    waitForItems: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["WaitBodyInput"];
            };
        };
        responses: {
            /** @description The items that have ended, and the ids of the others; also sent when the time is up. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WaitReply"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showStats: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Statistics */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PipelineStats"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showWorkers: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Worker names by stage */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkerNames"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showWorkerStates: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Current state of each worker */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkerStates"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showWorkerMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Metrics of each worker */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WorkerMetricsMap"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showSnapshot: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Everything for a dashboard */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Snapshot"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showErrors: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Summary of failures */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorSummary"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listErrorGroups: {
        parameters: {
            query?: {
                /** @description Only items of this feed. */
                feedId?: string;
                /** @description Only groups of this stage. */
                stage?: string;
                /**
                 * @description The most groups, by default 100.
                 * @example 10
                 */
                limit?: number;
            };
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The groups with the most items first. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorGroups"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showHistory: {
        parameters: {
            query?: {
                /** @description How far back, in seconds. Up to an hour comes in buckets of five seconds or a multiple, more in buckets of five minutes or a multiple. */
                seconds?: number;
                /** @description The most buckets of a stage. Buckets are as long as it takes for that. */
                points?: number;
            };
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The buckets of each stage. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PipelineHistory"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listResults: {
        parameters: {
            query?: {
                /**
                 * @description Maximum number of rows per page, by default 100. A page of large rows ends early, with the row that brings it to 8 MiB; `nextCursor` says whether more follow.
                 * @example 100
                 */
                limit?: number;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /**
                 * @description Only so many characters of `value` and `input` as JSON: `valuePreview` and `inputPreview` take their places.
                 * @example 2000
                 */
                preview?: number;
                /** @description How the items ended. */
                status?: "completed" | "failed" | "cancelled" | "all";
                /**
                 * @description Only rows after this sequence id.
                 * @example 0
                 */
                after?: number;
                /** @description Only items of this feed. */
                feedId?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of results. As `application/x-ndjson` one row per line, up to `limit` or the end of the list. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResultPage"];
                };
            };
            /** @description `invalid-cursor`, `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listItems: {
        parameters: {
            query?: {
                /**
                 * @description Maximum number of rows per page, by default 100. A page of large rows ends early, with the row that brings it to 8 MiB; `nextCursor` says whether more follow.
                 * @example 100
                 */
                limit?: number;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
                /**
                 * @description Repeatable or comma-separated.
                 * @example [
                 *       "queued",
                 *       "in_progress"
                 *     ]
                 */
                status?: components["schemas"]["ItemStatus"][];
                /** @description Only items in this stage. */
                stage?: string;
                /** @description Only items of this feed. */
                feedId?: string;
                /** @description Only items that failed with this type of error. */
                errorType?: string;
                /**
                 * @description Only items whose error carries this HTTP status.
                 * @example 429
                 */
                errorStatus?: number;
                /**
                 * @description Only items that failed with an error of this group; see `GET …/errors/groups`.
                 * @example k3Jx0aQ9b1m2
                 */
                group?: string;
                /** @description `desc`: the newest items, those with the highest sequence ids, first. */
                order?: "asc" | "desc";
                /**
                 * @description Only items whose id, or whose message of an error, contains this text, in whatever case.
                 * @example timeout
                 */
                q?: string;
                /** @description Only items with at least so many `totalAttempts`. */
                minAttempts?: number;
                /** @description Also the value that was fed, of items that have not completed. */
                include?: "input";
                /**
                 * @description Only rows after this sequence id.
                 * @example 0
                 */
                after?: number;
            };
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of items. As `application/x-ndjson` one row per line, up to `limit` or the end of the list. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ItemPage"];
                };
            };
            /** @description `invalid-cursor`, `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showItem: {
        parameters: {
            query?: {
                /**
                 * @description Only so many characters of `value` and `input` as JSON: `valuePreview` and `inputPreview` take their places.
                 * @example 2000
                 */
                preview?: number;
            };
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The id of an item, percent-encoded.
                 * @example order-4711
                 */
                itemId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The item. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ItemDetail"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancelItem: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The id of an item, percent-encoded.
                 * @example order-4711
                 */
                itemId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The item. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ItemSummary"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showItemValue: {
        parameters: {
            query?: {
                /** @description `true`: browsers save it as a file. */
                download?: "true" | "false";
            };
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The id of an item, percent-encoded.
                 * @example order-4711
                 */
                itemId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The value. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ItemValue"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    retryItem: {
        parameters: {
            query?: {
                /** @description The stage to start from; by default the one where the item failed. */
                fromStage?: string;
            };
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
                /**
                 * @description The id of an item, percent-encoded.
                 * @example order-4711
                 */
                itemId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The item. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ItemSummary"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    retryFailedItems: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["RetryBody"];
            };
        };
        responses: {
            /** @description The number of items. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RetryReply"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    cancelItems: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CancelBody"];
            };
        };
        responses: {
            /** @description The number of items. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CancelReply"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    followEvents: {
        parameters: {
            query?: {
                /**
                 * @description The events to send, by default `status`, `pipeline`, `feed`. May be repeated, or hold several separated by commas.
                 * @example [
                 *       "status",
                 *       "result"
                 *     ]
                 */
                types?: ("status" | "task" | "result" | "pipeline" | "feed")[];
                /**
                 * @description Only events of this item. Repeatable or comma-separated; since an item id may itself contain commas, a value with commas matches both as a whole and by its parts.
                 * @example order-4711
                 */
                itemId?: string | string[];
                /**
                 * @description Only events of this feed. May be repeated, or hold several separated by commas.
                 * @example [
                 *       "my-batch-7"
                 *     ]
                 */
                feedId?: string[];
                /**
                 * @description Only events of this stage. May be repeated, or hold several separated by commas.
                 * @example [
                 *       "Price"
                 *     ]
                 */
                stage?: string[];
                /**
                 * @description Only `status` events with this status. May be repeated, or hold several separated by commas.
                 * @example [
                 *       "failed",
                 *       "cancelled"
                 *     ]
                 */
                status?: components["schemas"]["ItemStatus"][];
                /**
                 * @description An event id: the events after it are replayed first. The `Last-Event-ID` header takes precedence.
                 * @example mf3k2x1a-4711
                 */
                after?: string;
                /**
                 * @description Adds a `stats` event with the statistics that change, about a kilobyte for three stages, at once and at this interval in seconds, rounded as that of `snapshotSeconds`.
                 * @example 1
                 */
                statsSeconds?: number;
                /**
                 * @description A single-use ticket for this stream, in place of a key: `EventSource` cannot send one. See `POST …/events/tickets`. Not together with a key.
                 * @example slt_k3Jx0aQ9b1m2n3o4p5q6r7s8t9u0v1w2x3y4z5A6B7C
                 */
                ticket?: string;
                /**
                 * @description Adds a `snapshot` event with the dashboard snapshot, which lists the newest hundred failures, at once and at this interval in seconds, rounded to tenths below one second, to seconds below a minute, and to minutes above. If a snapshot takes long because the pipeline is large, the interval grows.
                 * @example 1
                 */
                snapshotSeconds?: number;
            };
            header?: {
                /**
                 * @description The `id` of the last event received; the stream continues after it.
                 * @example mf3k2x1a-4711
                 */
                "last-event-id"?: string;
            };
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream. It ends with the service or the pipeline. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["EventData"];
                };
            };
            /** @description `invalid-event-id`, `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    followAllEvents: {
        parameters: {
            query?: {
                /**
                 * @description The events to send, by default `status`, `pipeline`, `feed`. May be repeated, or hold several separated by commas.
                 * @example [
                 *       "status",
                 *       "result"
                 *     ]
                 */
                types?: ("status" | "task" | "result" | "pipeline" | "feed")[];
                /**
                 * @description Only events of this item. Repeatable or comma-separated; since an item id may itself contain commas, a value with commas matches both as a whole and by its parts.
                 * @example order-4711
                 */
                itemId?: string | string[];
                /**
                 * @description Only events of this feed. May be repeated, or hold several separated by commas.
                 * @example [
                 *       "my-batch-7"
                 *     ]
                 */
                feedId?: string[];
                /**
                 * @description Only events of this stage. May be repeated, or hold several separated by commas.
                 * @example [
                 *       "Price"
                 *     ]
                 */
                stage?: string[];
                /**
                 * @description Only `status` events with this status. May be repeated, or hold several separated by commas.
                 * @example [
                 *       "failed",
                 *       "cancelled"
                 *     ]
                 */
                status?: components["schemas"]["ItemStatus"][];
                /**
                 * @description An event id: the events after it are replayed first. The `Last-Event-ID` header takes precedence.
                 * @example mf3k2x1a-4711
                 */
                after?: string;
                /**
                 * @description Adds a `stats` event with the statistics that change, about a kilobyte for three stages, at once and at this interval in seconds, rounded as that of `snapshotSeconds`.
                 * @example 1
                 */
                statsSeconds?: number;
                /**
                 * @description A single-use ticket for this stream, in place of a key: `EventSource` cannot send one. See `POST …/events/tickets`. Not together with a key.
                 * @example slt_k3Jx0aQ9b1m2n3o4p5q6r7s8t9u0v1w2x3y4z5A6B7C
                 */
                ticket?: string;
                /**
                 * @description Adds a `snapshot` event with the dashboard snapshot, which lists the newest hundred failures, at once and at this interval in seconds, rounded to tenths below one second, to seconds below a minute, and to minutes above. If a snapshot takes long because the pipeline is large, the interval grows.
                 * @example 1
                 */
                snapshotSeconds?: number;
                /**
                 * @description Only events of this pipeline. May be repeated, or hold several separated by commas.
                 * @example [
                 *       "orders"
                 *     ]
                 */
                pipelineId?: string[];
                /**
                 * @description Adds an `overview` event with the overview of all pipelines, whatever the filters say, at once and at this interval in seconds, rounded as that of `snapshotSeconds`.
                 * @example 2
                 */
                overviewSeconds?: number;
                /**
                 * @description With `statsSeconds`: only the `stats` of these pipelines. May be repeated, or hold several separated by commas.
                 * @example [
                 *       "orders"
                 *     ]
                 */
                statsFor?: string[];
                /**
                 * @description With `snapshotSeconds`: only the `snapshot` of these pipelines. May be repeated, or hold several separated by commas.
                 * @example [
                 *       "orders"
                 *     ]
                 */
                snapshotFor?: string[];
            };
            header?: {
                /**
                 * @description The `id` of the last event received; the stream continues after it.
                 * @example mf3k2x1a-4711
                 */
                "last-event-id"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream. It ends with the service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": components["schemas"]["AnyEventData"];
                };
            };
            /** @description `invalid-event-id`, `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createEventTicket: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The id of a pipeline.
                 * @example orders
                 */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The ticket. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EventTicket"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    createAllEventsTicket: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The ticket. */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EventTicket"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listTasks: {
        parameters: {
            query?: {
                /**
                 * @description Maximum number of rows per page, by default 100. A page of large rows ends early, with the row that brings it to 8 MiB; `nextCursor` says whether more follow.
                 * @example 100
                 */
                limit?: number;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the list. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TaskPage"];
                };
            };
            /** @description `invalid-cursor`, `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listLimiters: {
        parameters: {
            query?: {
                /**
                 * @description Maximum number of rows per page, by default 100. A page of large rows ends early, with the row that brings it to 8 MiB; `nextCursor` says whether more follow.
                 * @example 100
                 */
                limit?: number;
                /** @description The `nextCursor` of the previous page. */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the list. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LimiterPage"];
                };
            };
            /** @description `invalid-cursor`, `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    resetLimiter: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The name of a limiter.
                 * @example openai
                 */
                name: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The limiter after the change; for a key without `read`, `keys` and `waiters` are empty. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Limiter"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    changeLimiter: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /**
                 * @description The name of a limiter.
                 * @example openai
                 */
                name: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LimiterPatch"];
            };
        };
        responses: {
            /** @description The limiter after the change; for a key without `read`, `keys` and `waiters` are empty. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Limiter"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listHands: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The hands. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Hands"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    shutdownService: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ShutdownBody"];
            };
        };
        responses: {
            /** @description The plan. */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ShutdownPlan"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    isAlive: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The process is alive. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Liveness"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    isReady: {
        parameters: {
            query?: {
                /** @description Adds details about the store and what the start found there. If keys are configured, only for a key that may `read` all pipelines. */
                verbose?: "0" | "1" | "" | "true" | "false";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The service accepts work. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showCaller: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The caller. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Caller"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    listNodes: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The nodes. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ClusterNodes"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showInfo: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The service. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceInfo"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    showLogLevel: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The level. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogLevel"];
                };
            };
            /** @description `invalid-input`, `bad-request` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    setLogLevel: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LogLevelBody"];
            };
        };
        responses: {
            /** @description The level after the change. */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogLevel"];
                };
            };
            /** @description `invalid-input`, `bad-request`, `malformed-json` */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
