/** Values and expressions against `jsonata`, `jsonata_true` and templates: every native on more than it is made for, and programs that don't end. */
import type { Random } from '../../engine/simulation/random.ts';
import { type Attack, LISTS, OBJECTS, repeated } from './attack.ts';
import { PATTERNS, patternText } from './attacks-on-schemas.ts';

/** What an expression is given: `n` a list, `o` an object, `s` a text, `p` a text for patterns; one of them large, so that it fits a body. */
function food(random: Random): unknown {
  const small = { n: [3, 1, 2], o: { a: 1, b: { c: [1] } }, s: 'a text', p: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' };
  switch (random.pick(['n', 'n', 'o', 's', 'p'])) {
    case 'n':
      return { ...small, n: random.pick(LISTS)(random) };
    case 'o':
      return { ...small, o: random.pick(OBJECTS)(random) };
    case 's':
      return { ...small, s: repeated(random, random.pick(['a', 'a,', ' ', '\u00e9', '{', '%41', 'QUJD', '0', 'I'])) };
    default:
      return { ...small, p: patternText(random) };
  }
}

const EXPRESSIONS: readonly string[] = [
  ...['$sum(n)', '$count(n)', '$max(n)', '$min(n)', '$average(n)', '$sort(n)', '$sort(n, function($l, $r) { $l > $r })', '$distinct(n)'],
  ...['$reverse(n)', '$shuffle(n)', '$zip(n, n, n)', '$append(n, n)', '$spread(n)', '$spread(o)', '$merge(n)', '$merge($spread(o))'],
  ...['$map(n, function($v, $i, $a) { $count($a) })', '$filter(n, function($v) { $v in $$.n })', '$reduce(n, $append)', '$single(n)'],
  ...['$reduce(n, function($a, $v) { $a & $v })', '$each(o, function($v, $k) { $k & $string($v) })', '$sift(o, function($v) { true })'],
  ...['$keys(o)', '$keys(n)', '$lookup(n, "id")', '$lookup(o, "constructor")', '$lookup(o, "__proto__")', '$exists(n.a.b)', '$clone($)'],
  ...[
    '$string(n)',
    '$string(o, true)',
    '$length(s)',
    '$uppercase(s)',
    '$lowercase(s)',
    '$trim(s)',
    '$substring(s, 5, 1e9)',
    '$split(s, "")',
  ],
  ...['$join($split(s, "a"), s)', '$join(n)', '$replace(s, "a", s)', '$contains(s, s & "b")', '$pad("x", 1e9)', '$pad("x", -1e308, s)'],
  ...['$substringBefore(s, "z")', '$base64encode(s)', '$base64decode(s)', '$encodeUrl(s)', '$encodeUrlComponent(s)', '$decodeUrl(s)'],
  ...['$formatNumber(1e308, "#,##0.00" & s)', '$formatNumber($count(n), s)', '$formatBase($count(n), 36)', '$formatInteger(1e15, "w")'],
  ...[
    '$formatInteger(999999999999, "I")',
    '$parseInteger(s, "I")',
    '$parseInteger(s, "w")',
    '$number(s)',
    '$power(9, 1e9)',
    '$round(1e308, 5)',
  ],
  ...[
    '$toMillis(s)',
    '$toMillis(s, "[Y][M][D]" & s)',
    '$fromMillis(1e15, s)',
    '$fromMillis(0, "[Y,1000000]")',
    '$eval(s)',
    '$eval("$sort(n)", $)',
  ],
  ...['$random() & $now() & $millis()', '$error(s)', '$assert(false, s)', '$type(n)', '$not(n)', '$boolean(n)'],
  // Joins, sorts, groups, wildcards and transformations by the language itself.
  ...['n^(>$)', 'n[$ in $$.n]', 'n.($$.n)', 'n@$a.n@$b[$a = $b]', 'n#$i[$i % 2 = 0]', 'n{$string($): $}', '**', '**[a=1]', '*.*', 'o.*.%'],
  ...[
    'n[n = $$.n]',
    'n & n',
    '$ ~> |**|{"x": $$}|',
    '$ ~> |n|{"n": $$.n}, ["a"]|',
    '[1..10000000]',
    '[1..9000000].($)',
    '$sum([1..1000000])',
  ],
  ...[
    '($f := function() { $f() }; $f())',
    '($f := function($n) { 1 + $f($n + 1) }; $f(0))',
    '($f := function($n) { $n < 2 ? $n : $f($n - 1) + $f($n - 2) }; $f(40))',
  ],
  ...[
    '($d := function($s, $n) { $n = 0 ? $s : $d($s & $s, $n - 1) }; $d("aaaaaaaa", 40))',
    '($d := function($l, $n) { $n = 0 ? $l : $d([$l, $l], $n - 1) }; $d(n, 40))',
  ],
  ...[
    '$map([1..3000], function($i) { $map([1..3000], function($j) { $i * $j }) })',
    '($y := $$; $y.constructor.constructor("return 1")())',
  ],
  ...[
    '$constructor',
    'constructor',
    '$lookup($, "constructor")',
    '__proto__',
    '$sort.constructor',
    '$$.toString',
    '$map(n, $sort)',
    '$string($sort)',
  ],
  ...PATTERNS.flatMap((pattern) =>
    /\?<|\\p|\\\d/.test(pattern) ? [] : [`$match(p, /${pattern}/)`, `$contains(p, /${pattern}/)`, `$split(p, /${pattern}/)`],
  ),
  ...['$replace(p, /(a+)+$/, "b")', '$replace(p, /a*/, function($m) { $m.match & $m.match })', '$match(s, /()/)', '$split(s, /a?/)'],
];

/** Short, so that thousands of them have their turn; the limit is the same kind of limit. */
const TIMEOUT = { timeoutSeconds: 0.1 };

const asTask = (expression: string): object[] => [
  { name: 'Make', workers: 2, tasks: [{ task: 'jsonata', with: { expression, ...TIMEOUT } }] },
];
const asSwitch = (expression: string): object[] => [
  { name: 'Maybe', tasks: ['hash'], skipIf: { task: 'jsonata_true', with: { expression } } },
];
/** In a template the item is `value`. */
const asTemplate = (expression: string, random: Random): object[] => {
  const template = `{{ value.(${expression}) }}`;
  const text = random.chance(0.3) ? `before ${template} after` : template;
  return [
    random.pick<object>([
      { name: 'Fill', taskAttempts: 1, tasks: [{ task: 'hash', with: { field: text } }] },
      {
        name: 'Send',
        taskAttempts: 1,
        tasks: [{ task: 'http_request', with: { url: 'http://127.0.0.1:9/', method: 'POST', body: [text] } }],
      },
      { name: 'Tell', tasks: ['hash'], onSuccess: { task: 'log_success', with: { message: text } } },
      { name: 'Skip', tasks: ['hash'], onFailure: { task: 'http_notify', with: { url: `http://127.0.0.1:9/?q=${text}` } } },
    ]),
  ];
};

export const attacksOnExpressions: readonly Attack[] = EXPRESSIONS.map((expression) => ({
  name: `expression ${expression}`,
  stages: asTask(expression),
  value: food,
}));

/** The same where the expression is a predicate or stands in a template. */
export function elsewhere(attack: Attack, random: Random): Attack {
  const expression = attack.name.slice('expression '.length);
  const [where, stages] = random.chance(0.3) ? ['predicate', asSwitch(expression)] : ['template', asTemplate(expression, random)];
  return { ...attack, name: `${where} ${expression}`, stages };
}
