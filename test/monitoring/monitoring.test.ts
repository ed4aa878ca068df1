/** The board and the alerts of `monitoring/` against the metrics that there are. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { FAMILIES } from '../../src/http/metrics/families.ts';
import { definition, feed, get, startService } from '../http/app-harness.ts';
import { startCluster } from '../http/cluster/cluster-harness.ts';
import { folderWith } from '../loader/folder.ts';
import { promtool, skipsPromtool } from './promtool.ts';
import { faultsOf, labelsOf, selectorsOf, vainMatchers } from './queries.ts';
import { readMetrics, type Sample } from './reading.ts';

interface Query {
  from: string;
  expr: string;
  /** A text with names of labels in it. */
  shown: string;
}

interface Rule {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: Record<string, string>;
}

const RULES = 'monitoring/prometheus/alerts.yml';
const TESTS = ['monitoring/prometheus/alerts.test.yml', 'monitoring/prometheus/growth.test.yml'];

const rules: Rule[] = (parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules);
const board = JSON.parse(readFileSync('monitoring/grafana/dashboards/sluice.json', 'utf8')) as {
  annotations: { list: { expr: string; titleFormat: string }[] };
  templating: { list: { query: string | { query: string } }[] };
  panels: { title: string; type: string; targets?: { expr: string; legendFormat: string }[] }[];
};

const onBoard: Query[] = [
  ...board.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr, legendFormat }) => ({ from: title, expr, shown: legendFormat })),
  ),
  ...board.annotations.list.map(({ expr, titleFormat }) => ({ from: 'annotation', expr, shown: titleFormat })),
];
const inAlerts: Query[] = rules.map(({ alert, expr, annotations }) => ({ from: alert, expr, shown: String(annotations.summary) }));

/** As Grafana sends them. */
const sent = (expr: string): string =>
  expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '1h')
    .replaceAll(/\$(instance|pipeline)/g, '.*');

async function livelySamples(): Promise<Sample[]> {
  const service = await startService();
  onTestFinished(() => service[Symbol.asyncDispose]());
  await service.host.create(definition('p', 'picky'));
  await feed(service, 'p', [1, 'bad'], { feedId: 'f' });
  await service.host.get('p').waitForFeed('f', {});
  await get(service, '/pipelines/none');
  await get(service, '/events?type=none');
  const { cluster, ask } = await startCluster(1);
  await cluster.elect('a');
  const texts = [(await get(service, '/metrics')).body, (await ask('a', 'GET', '/metrics')).body];
  return texts.flatMap((text) => [...readMetrics(text).values()].flatMap(({ samples }) => samples));
}

describe('a query', () => {
  it.each([
    ['sluice_nothing', ['no metric sluice_nothing']],
    ['rate(sluice_nothing_total{pipeline="p"}[5m])', ['no metric sluice_nothing_total']],
    ['sluice_ready{pipeline="p"}', ['sluice_ready has no label pipeline']],
    ['sum by (feed) (sluice_items_in_flight)', ['no label feed']],
    ['sum(sluice_items_in_flight) without (item, pipeline)', ['no label item']],
    ['sluice_store_flush_seconds', ['no metric sluice_store_flush_seconds']],
    ['sluice_store_flush_seconds_sum{le="1"}', ['sluice_store_flush_seconds_sum has no label le']],
    ['sluice_ready and on (job) sluice_gone == 1', ['no metric sluice_gone']],
    ['vector(1)', ['it selects nothing']],
  ])('%s asks for what is not there', (expr, faults) => {
    expect(faultsOf(expr)).toEqual(faults);
  });

  it('shows no label that its series do not have', () => {
    expect(faultsOf('sluice_limiter_in_use', '{{limiter}} {{key}}')).toEqual(['no label key']);
    expect(faultsOf('sluice_limiter_in_use', '{{ $labels.limiter }} {{ $labels.key }} {{ $value | humanize }}')).toEqual(['no label key']);
  });

  it('is read with its matchers, whatever stands in their texts', () => {
    expect(selectorsOf('rate(a_total{x="{}\\"sum(y)", z=~"b|c"}[5m] offset 1h) / ignoring (x) b > 1e9')).toEqual([
      {
        metric: 'a_total',
        matchers: [
          { label: 'x', operator: '=', value: '{}\\"sum(y)' },
          { label: 'z', operator: '=~', value: 'b|c' },
        ],
      },
      { metric: 'b', matchers: [] },
    ]);
  });
});

describe.each([
  ['the board', onBoard],
  ['the alerts', inAlerts],
])('%s', (name, queries) => {
  it('asks for metrics and labels that there are', () => {
    expect(queries.length).toBeGreaterThan(10);
    expect(queries.flatMap(({ from, expr, shown }) => faultsOf(expr, shown).map((fault) => `${from}: ${fault}`))).toEqual([]);
  });

  it('asks for values of labels that a service has', async () => {
    const samples = await livelySamples();
    expect(queries.flatMap(({ from, expr }) => vainMatchers(expr, samples).map((matcher) => `${from}: ${matcher}`))).toEqual([]);
    expect(vainMatchers('sluice_items_ended_total{status="lost"}', samples)).toEqual(['sluice_items_ended_total{status="lost"}']);
  });

  it.skipIf(skipsPromtool)('is PromQL', () => {
    const groups = [{ name: 'x', rules: queries.map(({ expr }, i) => ({ record: `x${i}`, expr: sent(expr) })) }];
    const file = join(folderWith(), 'rules.yml');
    writeFileSync(file, JSON.stringify({ groups }));
    expect(promtool(['check', 'rules', file])).toEqual({ status: 0, told: expect.stringContaining(`${queries.length} rules found`) });
    expect(name).not.toBe('');
  });
});

describe('the board', () => {
  it('takes its variables from metrics that there are', () => {
    const asked = board.templating.list.flatMap(({ query }) => (typeof query === 'string' ? [] : [query.query]));
    expect(asked).toHaveLength(2);
    for (const query of asked) {
      const [, expr = '', label = ''] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? [];
      expect(faultsOf(expr)).toEqual([]);
      expect(labelsOf(selectorsOf(expr)[0]?.metric ?? '')).toContain(label);
    }
  });

  it('has every metric that is no mere information about the service on a panel', () => {
    const shown = new Set(onBoard.flatMap(({ expr }) => selectorsOf(expr)).map(({ metric }) => metric.replace(/_(bucket|sum|count)$/, '')));
    for (const metric of ['sluice_stage_workers', 'sluice_stage_wait_seconds', 'sluice_task_duration_seconds', 'sluice_limiter_waiting'])
      expect(shown).toContain(metric);
    const onRows = Object.keys(FAMILIES).filter((name) => /^sluice_(hand|cluster)/.test(name) && name !== 'sluice_cluster_role');
    expect(onRows.length).toBeGreaterThan(15);
    for (const metric of onRows) expect(shown).toContain(metric);
  });
});

describe('the alerts', () => {
  it('lead to a section of the runbook each, and every section there is about one of them', () => {
    const page = readFileSync('docs/operations.md', 'utf8');
    const [, alerts = ''] = /^## Alerts\n([\s\S]*?)(?=^## |(?![\s\S]))/m.exec(page) ?? [];
    const sections = [...alerts.matchAll(/^### (\S+)$/gm)].map(([, title]) => title);
    expect(sections).toEqual(rules.map(({ alert }) => alert));
    for (const { alert, annotations, labels } of rules) {
      expect(annotations.runbook).toBe(`docs/operations.md#${alert.toLowerCase()}`);
      expect(['page', 'ticket']).toContain(labels.severity);
    }
  });

  it('are each played through, with a series that fires it', () => {
    const played = TESTS.flatMap((path) => {
      const { tests } = parse(readFileSync(path, 'utf8')) as {
        tests: { input_series: unknown[]; alert_rule_test: { alertname: string; exp_alerts: unknown[] }[] }[];
      };
      return tests.flatMap((test) =>
        test.alert_rule_test.filter(({ exp_alerts }) => exp_alerts.length > 0).map(({ alertname }) => alertname),
      );
    });
    expect([...new Set(played)].sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });

  it.skipIf(skipsPromtool)('are what promtool accepts, and fire as they are to', { timeout: 60_000 }, () => {
    expect(promtool(['check', 'config', '--syntax-only', 'monitoring/prometheus/prometheus.yml'])).toMatchObject({ status: 0 });
    expect(promtool(['check', 'rules', RULES])).toMatchObject({ status: 0 });
    expect(promtool(['test', 'rules', ...TESTS])).toMatchObject({ status: 0 });
  });
});
