import { describe, expect, it } from 'vitest';
import { DurationHistogram } from '../../src/engine/index.ts';
import { Exposition } from '../../src/http/metrics/exposition.ts';
import { FAMILIES } from '../../src/http/metrics/families.ts';
import { readMetrics, seriesValue } from '../monitoring/reading.ts';

describe('the text for Prometheus', () => {
  it('has a family with its help and type before its series, in one piece, whatever the order in which they come', () => {
    const to = new Exposition();
    to.add('sluice_items_accepted_total', ['a'], 1);
    to.add('sluice_limiter_in_use', ['l'], 2);
    to.add('sluice_items_accepted_total', ['b'], 3);
    expect(to.text()).toBe(
      [
        `# HELP sluice_items_accepted_total ${FAMILIES.sluice_items_accepted_total.help}`,
        '# TYPE sluice_items_accepted_total counter',
        'sluice_items_accepted_total{pipeline="a"} 1',
        'sluice_items_accepted_total{pipeline="b"} 3',
        `# HELP sluice_limiter_in_use ${FAMILIES.sluice_limiter_in_use.help}`,
        '# TYPE sluice_limiter_in_use gauge',
        'sluice_limiter_in_use{limiter="l"} 2',
        '',
      ].join('\n'),
    );
  });

  it.each(['plain', 'a b', '"', '\\', '\n', '\\n', 'a"} 5\nsluice_up{x="', '{}=,', 'naïve 🌊', '\u2028', '\r', ''])(
    'gives back the label %j',
    (label) => {
      const to = new Exposition();
      to.add('sluice_item_errors_total', ['p', label], 7);
      const { samples } = readMetrics(to.text()).get('sluice_item_errors_total') ?? { samples: [] };
      expect(samples).toEqual([{ name: 'sluice_item_errors_total', labels: { pipeline: 'p', error_type: label }, value: 7 }]);
    },
  );

  it('has no label that UTF-8 has no form for', () => {
    const to = new Exposition();
    to.add('sluice_item_errors_total', ['p', 'a\ud800b'], 1);
    expect(to.text()).toContain('error_type="a\ufffdb"');
  });

  it.each([
    [Number.POSITIVE_INFINITY, '+Inf'],
    [Number.NEGATIVE_INFINITY, '-Inf'],
    [Number.NaN, 'NaN'],
    [1e21, '1e+21'],
    [0.1 + 0.2, '0.30000000000000004'],
    [-0, '0'],
  ])('writes %d as %s', (value, text) => {
    const to = new Exposition();
    to.add('sluice_ready', [], value);
    expect(to.text().split('\n')[2]).toBe(`sluice_ready ${text}`);
  });

  it('sums up the buckets of a histogram, each with what is exactly its bound', () => {
    const histogram = new DurationHistogram([0.1, 1]);
    for (const seconds of [0.05, 0.1, 0.100001, 1, 1.5, 99, -3, Number.NaN]) histogram.add(seconds);
    const to = new Exposition();
    to.addHistogram('sluice_http_request_duration_seconds', ['/r', '200', 'GET'], histogram);
    const read = readMetrics(to.text());
    const labels = { route: '/r', status: '200', method: 'GET' };
    const bucket = (le: string) => seriesValue(read, 'sluice_http_request_duration_seconds_bucket', { ...labels, le });
    expect([bucket('0.1'), bucket('1'), bucket('+Inf')]).toEqual([4, 6, 8]);
    expect(seriesValue(read, 'sluice_http_request_duration_seconds_sum', labels)).toBeCloseTo(101.750001);
  });
});
