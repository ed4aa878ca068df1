/** Parameters that can never succeed are refused when the definition is made, not told with each item. */
import { describe, expect, it } from 'vitest';
import { createLocalHost, createTaskRegistry, type LocalHost } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { createSecrets } from '../../src/loader/secrets.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { builtInTasks, expressionLanguage } from '../../tasks/index.ts';
import { folderWith } from '../loader/folder.ts';
import { HOST } from '../stores/durable-host.ts';

const secrets = createSecrets({ KEY: 'sesame-open' });

function hostOf(store?: Awaited<ReturnType<typeof openSqliteStore>>, allowHosts: readonly string[] = []): LocalHost {
  return createLocalHost({
    ...HOST,
    registry: createTaskRegistry(builtInTasks({ outputDir: 'unused', httpAllowHosts: allowHosts, maskSecrets: secrets.mask })),
    ports: { ...systemPorts, expressions: expressionLanguage, secrets },
    ...(store !== undefined && { store }),
  });
}

async function faultsOf(stage: object, allowHosts?: readonly string[]): Promise<unknown> {
  const host = hostOf(undefined, allowHosts);
  return host.create({ id: 'p', stages: [{ name: 'S', tasks: ['hash'], ...stage }] }).then(
    () => [],
    ({ errors }: { errors: { path: string; message: string }[] }) => errors.map(({ path, message }) => `${path} ${message}`),
  );
}
const request = (url: string, more: object = {}) => ({ tasks: [{ task: 'http_request', with: { url, ...more } }] });
const sees = 'a template sees value, metadata, itemId, sequenceId, lastError, secrets and error';

describe('a template that uses a name which no template sees', () => {
  it.each([
    ['{{ env.X }}', 'env'],
    ['https://api.example.com/{{ item.id }}', 'item'],
    ['{{ url }}', 'url'],
    ['{{ $uppercase(vaule.url) }}', 'vaule'],
    ['{{ value.a ? value.b : process.env.B }}', 'process'],
    ['{{ (x := value.url; id & "/") }}', 'x'],
    ['{{ ["a", params.b][0] }}', 'params'],
    ['{{ {"a": itemID}.a }}', 'itemID'],
    ['{{ $not(Value.x) }}', 'Value'],
  ])('is refused: %s', async (url, name) => {
    const found = (await faultsOf(request(url))) as string[];
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(
      new RegExp(`^/stages/0/tasks/0/with/url holds a template that (uses "${name}"; ${sees}|is not a valid expression)`),
    );
  });

  it.each([
    '{{ value.url }}',
    '{{ $.value.url }}',
    '{{ $$.value.url }}',
    '{{ value.items[sku = "x"].url }}',
    '{{ value.(host & path) }}',
    '{{ value.items^(price)[0].url }}',
    '{{ $map(value.urls, function($u) { $u & id }) }}',
    '{{ ($base := value.base; $base & metadata.path & itemId & sequenceId) }}',
    '{{ value{kind: $count(url)}.a }}',
    '{{ "https://example.com/" & secrets.KEY }}',
    '{{ value ~> |lines|{"price": price * 2}| }}',
    '{{ value.lines@$l.other@$o[$l.id = $o.id].url }}',
    '{{ error.message }}',
  ])('is none: %s', async (url) => {
    expect(await faultsOf(request(url))).toEqual([]);
  });

  it('is found in hooks and predicates, and in every part of the parameters', async () => {
    expect(
      await faultsOf({ onFailure: { task: 'http_notify', with: { url: 'https://example.com/', body: { why: ['{{ err.message }}'] } } } }),
    ).toEqual([`/stages/0/onFailure/with/body/why/0 holds a template that uses "err"; ${sees}`]);
    expect(await faultsOf(request('https://example.com/', { headers: { authorization: 'Bearer {{ secret.KEY }}' } }))).toEqual([
      `/stages/0/tasks/0/with/headers/authorization holds a template that uses "secret"; ${sees}`,
    ]);
    // An expression of a task is no template: it is over the value.
    expect(await faultsOf({ tasks: [{ task: 'jsonata', with: { expression: 'env.X' } }] })).toEqual([]);
  });
});

describe('an address that can never be fetched', () => {
  it.each([
    ['http://127.0.0.1:9/', 'is not allowed'],
    ['http://[::1]/', 'is not allowed'],
    ['http://localhost/', 'is not allowed'],
    ['http://169.254.169.254/latest/meta-data', 'is not allowed'],
    ['http://2130706433/', 'is not allowed'],
    ['ftp://example.com/', 'only http: and https:'],
    ['example.com/orders', 'is not a valid URL'],
    ['https://ada:secret@example.com/', 'user name or a password'],
    ['http:', 'is not a valid URL'],
  ])('is refused: %s', async (url, why) => {
    const found = (await faultsOf(request(url))) as string[];
    expect(found).toEqual([expect.stringMatching(new RegExp(`^/stages/0/tasks/0/with/url can never be fetched: .*${why}`))]);
    expect(await faultsOf({ onSuccess: { task: 'http_notify', with: { url } } })).toEqual([
      expect.stringMatching(/^\/stages\/0\/onSuccess\/with\/url can never be fetched/),
    ]);
  });

  it('is none when it is allowed, a name, or made for each item', async () => {
    expect(await faultsOf(request('http://127.0.0.1:9/'), ['127.0.0.1'])).toEqual([]);
    expect(await faultsOf(request('http://intranet.example.internal/'))).toEqual([]);
    expect(await faultsOf(request('http://127.0.0.1/{{ value.id }}'))).toEqual([]);
  });
});

it('a stored definition with either goes on as it did', async () => {
  const file = `${folderWith()}/sluice.db`;
  const first = hostOf(await openSqliteStore({ file, inProcess: true }), ['127.0.0.1']);
  await first.create({ id: 'p', stages: [{ name: 'S', ...request('http://127.0.0.1:9/') }] });
  await first.shutdown('graceful', 1);
  await first.close();
  const next = hostOf(await openSqliteStore({ file, inProcess: true }));
  await next.recover();
  next.goOn();
  expect(await next.get('p').describe()).toMatchObject({ state: 'running', stateReason: null });
  await next.shutdown('graceful', 1);
  await next.close();
});
