import { type Logger, pino } from 'pino';
import { createSecrets } from '../src/loader/secrets.ts';
import { cpuMs, median, report } from './row.ts';

/* What it costs a line of the log that secrets are looked for in it, in every form; and a text that is made to be hard to look through. */

const LINES = 20_000;
const ROUNDS = 11;
const TEXT_CHARACTERS = 65_536;

const values = {
  API: 'sk_live_51H8s0Kf2mQz7Lr9',
  DB_PASSWORD: 'correct horse battery',
  HOOK: 'https://hooks.example.com/T0/B1/x9Zq',
  TOKEN: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzbHVpY2UifQ.dBjftJeZ4CVP',
  PIN: '9473',
};
const { mask } = createSecrets(values);

/** As the service has it, synchronous, but to nowhere. */
const loggerWith = (hooks: { streamWrite?: (line: string) => string }) =>
  pino({ base: null, timestamp: pino.stdTimeFunctions.isoTime, hooks }, pino.destination({ dest: '/dev/null', sync: true }));

const request = { reqId: 'req-4711', method: 'POST', url: '/pipelines/orders/items?wait=10', status: 202, durationMs: 1.25, key: 'shop' };
const err = new Error('the server answered 503: {"error":"busy","retry":"later"}');

function cost(work: () => void): number {
  globalThis.gc?.();
  const before = cpuMs();
  work();
  return cpuMs() - before;
}

const plain = loggerWith({});
const masked = loggerWith({ streamWrite: mask });
const lines = (logger: Logger) => () => {
  for (let i = 0; i < LINES; i++) {
    logger.info(request, 'request completed');
    if (i % 20 === 0) logger.error({ err, item: `item-${i}` }, 'a hook threw; the item is not affected');
  }
};
const easy = '{"level":30,"msg":"request completed"} '.repeat(TEXT_CHARACTERS / 39);
const hard = ['%68', '%25', '\\', '\\u0068', '&#x68;', 'sk_live_51H8'].map((unit) => unit.repeat(TEXT_CHARACTERS / unit.length));

const ratios: number[] = [];
const slowest: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const [without, withMask] = [cost(lines(plain)), cost(lines(masked))];
  const base = cost(() => {
    for (let i = 0; i < 100; i++) mask(easy);
  });
  const worst = Math.max(
    ...hard.map((text) =>
      cost(() => {
        for (let i = 0; i < 4; i++) mask(text);
      }),
    ),
  );
  if (round === 0) continue;
  ratios.push(withMask / without);
  slowest.push(worst / 4 / (base / 100));
}
const ratio = median(ratios);
const worst = median(slowest);
report([
  {
    claim: 'a line of the log, looked through for 5 secrets: CPU against one that is not',
    bar: '≤ 2',
    figure: ratio.toFixed(2),
    holds: ratio <= 2,
  },
  {
    claim: 'a text of 64 KiB that is nothing but escapes: CPU against one of words',
    bar: '≤ 300',
    figure: worst.toFixed(0),
    holds: worst <= 300,
  },
]);
