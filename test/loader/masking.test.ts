import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSecrets } from '../../src/loader/secrets.ts';
import { codePoint } from '../code-points.ts';
import { SEED } from '../seed.ts';

const RUNS = Number(process.env.MASKING_RUNS ?? 400);

const SECRET = 'hunter22';
const TOKEN = '[secret KEY]';
const mask = (text: string, secret = SECRET) => createSecrets({ KEY: secret }).mask(text);
const base64 = (text: string) => Buffer.from(text).toString('base64');

type Encode = (text: string, pick: (choices: number) => number) => string;
const bytesOf = (letter: string) => [...Buffer.from(letter)];
const hexOf = (byte: number, pick: (choices: number) => number): string => {
  const hex = byte.toString(16).padStart(2, '0');
  return [...hex].map((digit) => (pick(2) === 0 ? digit : digit.toUpperCase())).join('');
};
const eachLetter = (text: string, encode: (letter: string) => string) => [...text].map(encode).join('');

/** Each with choices of its own, as another library would make them. */
const ENCODINGS: Record<string, Encode> = {
  'as it is': (text) => text,
  'JSON of a library': (text) => JSON.stringify(text).slice(1, -1),
  'JSON with any letter escaped': (text, pick) =>
    eachLetter(text, (letter) => {
      if (letter === '/' && pick(2) === 1) return '\\/';
      if (pick(2) === 0 && !/["\\\p{Cc}]/u.test(letter)) return letter;
      return Array.from(
        { length: letter.length },
        (_, i) => `\\u00${''}`.slice(0, 2) + hexOf(letter.charCodeAt(i) >> 8, pick) + hexOf(letter.charCodeAt(i) & 255, pick),
      ).join('');
    }),
  'JSON in JSON': (text) => JSON.stringify(JSON.stringify(text).slice(1, -1)).slice(1, -1),
  'JSON in JSON in JSON': (text) => JSON.stringify(JSON.stringify(JSON.stringify(text))),
  'a URL component': (text) => encodeURIComponent(text),
  'a URL': (text) => encodeURI(text),
  'percent signs for any letters': (text, pick) =>
    eachLetter(text, (letter) =>
      letter !== '%' && letter.charCodeAt(0) < 128 && pick(2) === 0
        ? letter
        : bytesOf(letter)
            .map((byte) => `%${hexOf(byte, pick)}`)
            .join(''),
    ),
  'a form': (text) => new URLSearchParams([['', text]]).toString().slice(1),
  'percent signs twice': (text) => encodeURIComponent(encodeURIComponent(text)),
  'a URL in JSON': (text) => JSON.stringify(encodeURI(text).replaceAll('/', '\\/')),
  'JSON in a URL': (text) => encodeURIComponent(JSON.stringify(text).slice(1, -1)),
  'HTML in numbers': (text, pick) =>
    eachLetter(text, (letter) => {
      const point = letter.codePointAt(0) as number;
      return pick(2) === 0 ? `&#${point};` : `&#x${point.toString(16)};`;
    }),
  'HTML of a library': (text) =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;'),
  'JSON in HTML': (text) => JSON.stringify(text).slice(1, -1).replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;'),
  hex: (text, pick) =>
    bytesOf(text)
      .map((byte) => hexOf(byte, pick))
      .join(''),
};

const secret = fc
  .oneof(
    fc.string({ unit: 'grapheme-ascii', minLength: 4, maxLength: 40 }),
    fc.string({ unit: codePoint, minLength: 4, maxLength: 20 }),
    fc.string({ unit: fc.constantFrom(...'%+\\"/& \'<>=-_.~u0025nta'), minLength: 4, maxLength: 12 }),
  )
  // Blanks around it are not looked for, and what stands in every mask is no secret.
  .filter((text) => text.trim().length >= 4 && text === text.trim() && !TOKEN.includes(text) && text.isWellFormed());
const around = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 30 }),
  fc.string({ unit: fc.constantFrom(...'%+\\"/&;#x u0025'), maxLength: 8 }),
  fc.string({ unit: codePoint, maxLength: 10 }),
);
const picks = fc.infiniteStream(fc.nat(1));
const pickerOf = (stream: Iterator<number>) => (choices: number) => Number(stream.next().value) % choices;

describe('any secret in any text', () => {
  it.each(Object.entries(ENCODINGS))('is masked: %s', (_, encode) => {
    fc.assert(
      fc.property(secret, around, around, picks, (text, before, after, stream) => {
        const encoded = encode(text, pickerOf(stream[Symbol.iterator]()));
        const masked = createSecrets({ KEY: text }).mask(before + encoded + after);
        expect(masked).toContain(TOKEN);
        expect(masked.replaceAll(TOKEN, '')).not.toContain(encoded);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it.each(['base64', 'base64url'] as const)('is masked in %s, wherever it begins in it', (coding) => {
    const wrap = fc.constantFrom(
      (text: string) => text,
      (text: string) => JSON.stringify(text.replaceAll('/', '\\/')),
      (text: string) => encodeURIComponent(text),
      (text: string) => text.replaceAll(/.{1,19}/g, '$&\r\n'),
    );
    const inside = fc.constantFrom<(text: string) => string>(
      (text) => text,
      (text) => JSON.stringify(text).slice(1, -1),
      (text) => encodeURIComponent(text),
    );
    fc.assert(
      fc.property(
        secret,
        fc.uint8Array({ maxLength: 20 }),
        fc.uint8Array({ maxLength: 20 }),
        around,
        around,
        inside,
        wrap,
        (text, ...rest) => {
          const [head, tail, before, after, encode, wrapped] = rest;
          const whole = Buffer.concat([head, Buffer.from(encode(text)), tail]);
          const masked = createSecrets({ KEY: text }).mask(`${before} ${wrapped(whole.toString(coding))} ${after}`);
          expect(masked).toContain(TOKEN);
          // What is left on both sides decodes to nothing of the secret.
          const [left = '', right = ''] = masked.split(TOKEN);
          const seen = [...(left.match(/[\w+/-]*$/)?.[0] ?? ''), ...(right.match(/^[\w+/-]*/)?.[0] ?? '')].length;
          expect(seen).toBeLessThanOrEqual(Math.ceil(((head.length + tail.length) * 4) / 3) + 80);
        },
      ),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('changes nothing in a text that has none', () => {
    const letters = fc.string({ unit: fc.constantFrom(...'abcdefgh%+\\/&; 0123456789"{}:,'), maxLength: 200 });
    const foreign = fc.string({ unit: fc.constantFrom(...'ijklmnopIJKLMNOP_-'), minLength: 5, maxLength: 20 });
    fc.assert(
      fc.property(foreign, letters, (value, text) => {
        expect(createSecrets({ KEY: value }).mask(text)).toBe(text);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('is masked once: a masked text stays as it is', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('A', 'B', 'KEY', 'secret'), secret), around, around, (values, before, after) => {
        const { mask: all } = createSecrets(values);
        const masked = all(before + Object.values(values).join(after));
        fc.pre(Object.values(values).every((value) => !value.includes(']') && !value.includes('[')));
        expect(all(masked)).toBe(masked);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});

describe('a secret', () => {
  it.each([
    ['Basic credentials', `Basic ${base64(`user:${SECRET}`)}`, 'Basic dXNlcj[secret KEY]=='],
    ['Basic credentials of a form', `Basic ${base64(`id:${SECRET}%2B`)}`, expect.stringMatching(/^Basic \S+\[secret KEY\]\S+$/)],
    ['percent signs in small letters', '?k=%68unter2%32', '?k=[secret KEY]'],
    ['percent signs of a percent sign', '%2568unter22', '[secret KEY]'],
    ['small hexadecimal', `0x${Buffer.from(SECRET).toString('hex')}`, '0x[secret KEY]'],
    ['large hexadecimal', Buffer.from(SECRET).toString('hex').toUpperCase(), '[secret KEY]'],
    ['escapes of code', '\\x68\\u{75}nter22', '[secret KEY]'],
    ['numbers of HTML without an end', '&#104&#x75nter22', '[secret KEY]'],
    ['several at once', `${SECRET}${SECRET}-${SECRET}`, '[secret KEY][secret KEY]-[secret KEY]'],
    [
      'base64 that is broken into lines',
      base64(`a long text before ${SECRET}`).replaceAll(/.{9}/g, '$&\r\n'),
      expect.stringContaining(TOKEN),
    ],
    ['an escape that something before it seems to begin', '%%41 %%68unter22', '%%41 %[secret KEY]'],
    ['a half of an escape after it', `${SECRET}%4`, '[secret KEY]%4'],
  ])('is masked in %s', (_, text, masked) => {
    expect(mask(text)).toEqual(masked);
  });

  it.each([
    ['ends like an escape', 'abc%', 'abc%41', '[secret KEY]41'],
    ['is like an escape', '%41%41', 'x%41%41', 'x[secret KEY]'],
    ['is like one, and is escaped', '%41%41', 'x%2541%2541', 'x[secret KEY]'],
    ['begins with a backslash', '\\n\\n', 'x\\\\n\\\\n', 'x[secret KEY]'],
    ['has plus signs, in a URL', 'a+b c', 'a+b%20c', '[secret KEY]'],
    ['has plus signs, in a form', 'a+b c', 'a%2Bb+c', '[secret KEY]'],
    [
      'has letters of two bytes',
      'Bücher',
      'B%C3%BCcher B%FCcher B%c3%bccher BÃ¼cher',
      '[secret KEY] [secret KEY] [secret KEY] [secret KEY]',
    ],
    ['is of emojis', '🙂🙃🙂🙃', '\\ud83d\\uDE42🙃%F0%9F%99%82&#128579;', '[secret KEY]'],
    ['is of emojis, all in JSON', '🙂🙃🙂🙃', '\\ud83d\\uDE42🙃\\ud83d\\ude42🙃', '[secret KEY]'],
    ['is one of Latin-1 in base64', 'Bücher', Buffer.from('Bücher', 'latin1').toString('base64'), '[secret KEY]'],
    ['comes from a file with its line break', 'hunter22\n', 'the key hunter22 is wrong', 'the key [secret KEY] is wrong'],
    ['is part of a host', 'HunterTwo22', 'https://huntertwo22.example/', 'https://[secret KEY].example/'],
    [
      'is in a line of the log that holds JSON that holds JSON',
      '"\\/"',
      JSON.stringify({ a: JSON.stringify({ b: '"\\/"' }) }),
      '{"a":"{\\"b\\":\\"[secret KEY]\\"}"}',
    ],
    ['has several lines', '--BEGIN--\nabc+/==\n--END--', '"--BEGIN--\\nabc+\\/==\\n--END--"', '"[secret KEY]"'],
  ])('is masked that %s', (_, secretText, text, masked) => {
    expect(mask(text, secretText)).toEqual(masked);
  });

  it.each(['test', 'null', '1234', 'abcd', '0000'])(
    'of four characters is found in base64, at any place, and nowhere else: %s',
    (short) => {
      for (const before of ['', '1', '12', '123']) expect(mask(base64(`${before}${short}!`), short)).toContain(TOKEN);
      // Random base64 and hexadecimal: none of it is the secret, which would take 32 bits to be right.
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 200, maxLength: 200 }), (bytes) => {
          const text = Buffer.from(bytes).toString('base64');
          expect(mask(text.replaceAll(short, ''), short)).not.toContain(TOKEN);
        }),
        { seed: SEED, numRuns: 300 },
      );
    },
  );
});

describe('several secrets', () => {
  it('that overlap leave nothing of each other', () => {
    const { mask: all } = createSecrets({ A: 'abcdef', B: 'defghi', C: 'abc123', D: 'abc1' });
    expect(all('xabcdefghix')).toBe('x[secret A]x');
    expect(all('abc1234 abc1x')).toBe('[secret C]4 [secret D]x');
    expect(all('defghi')).toBe('[secret B]');
  });

  it('one in the other are masked as the longer one, whatever it is wrapped in', () => {
    const { mask: all } = createSecrets({ SHORT: 'hunter', LONG: 'my-hunter-22' });
    for (const wrap of [(text: string) => text, encodeURIComponent, base64, (text: string) => Buffer.from(text).toString('hex')])
      expect(all(`<${wrap('my-hunter-22')}>`)).toBe('<[secret LONG]>');
  });

  it('that are a word of a mask do not show by it', () => {
    const { mask: all } = createSecrets({ DB_PASSWORD: 'PASSWORD', X: 'secret', Y: 'secret X' });
    const masked = all('PASSWORD, secret, secret X');
    expect(masked).toBe('[secret DB_PASSWORD], [secret X], [secret Y]');
    expect(all(masked)).toBe(masked);
  });

  it('of equal value are one', () => {
    expect(createSecrets({ A: SECRET, B: SECRET }).mask(SECRET)).toBe('[secret A]');
  });
});

describe('the work', () => {
  /** Milliseconds of CPU: in the same process, at the same time, so that only ratios count. */
  const costOf = (text: string, secretText = SECRET): number => {
    const { mask: all } = createSecrets({ KEY: secretText });
    all(text);
    const best = Array.from({ length: 3 }, () => {
      const before = process.cpuUsage();
      all(text);
      const { user, system } = process.cpuUsage(before);
      return user + system;
    });
    return Math.min(...best);
  };

  it.each([
    ['percent signs', '%68', SECRET],
    ['backslashes', '\\', SECRET],
    ['escaped letters', '\\u0068', SECRET],
    ['percent signs of percent signs', '%25', '%%%a'],
    ['beginnings of the secret', 'hunter2', SECRET],
    ['the secret', SECRET, SECRET],
    ['ampersands', '&#x68', SECRET],
    ['one letter', 'a', `${'a'.repeat(30)}b`],
    ['backslashes that are nearly the secret', '\\\\', '\\\\\\xyz'],
    ['masks', TOKEN, 'secret'],
  ])('grows with the text alone: %s', (_, unit, secretText) => {
    const small = costOf(unit.repeat(5000 / unit.length), secretText);
    const large = costOf(unit.repeat(80_000 / unit.length), secretText);
    // Sixteen times the text; a square would be 256 times.
    expect(large).toBeLessThan(48 * Math.max(small, 500));
  });

  it.each(['%', '&', '&&&&&', '%&', '%\\', '&%\\\\'])('is not multiplied by each beginning of an escape in a row: %s', (unit) => {
    const inARow = costOf(unit.repeat(80_000 / unit.length));
    const alone = costOf('%68'.repeat(80_000 / 3));
    expect(inARow).toBeLessThan(8 * Math.max(alone, 2000));
  });
});

describe('a line of the log', () => {
  const { maskLine } = createSecrets({
    SWITCH: 'false',
    NOTHING: 'null',
    PORT: '30001',
    LEVEL: 'level',
    WHOLE: '{"user":"ada","pass":"lovelace"}',
    KEY: SECRET,
  });

  it.each([
    ['a switch', { isOpen: false, text: 'it is false' }, { isOpen: false, text: 'it is [secret SWITCH]' }],
    ['a number', { port: 30001, at: 1300012, url: 'http://h:30001/' }, { port: 30001, at: 1300012, url: 'http://h:[secret PORT]/' }],
    ['nothing', { error: null, list: [null, 'null'] }, { error: null, list: [null, '[secret NOTHING]'] }],
    ['a name of a field', { level: 30, msg: 'level' }, { '[secret LEVEL]': 30, msg: '[secret LEVEL]' }],
    ['quotes and line ends', { msg: `a "${SECRET}"\n\\` }, { msg: 'a "[secret KEY]"\n\\' }],
    ['a whole object', { given: { user: 'ada', pass: 'lovelace' }, n: 1 }, { given: '[secret WHOLE]', n: 1 }],
    ['a whole object as a text', { given: '{"user":"ada","pass":"lovelace"}' }, { given: '[secret WHOLE]' }],
    ['no secret', { level2: 1, msg: 'fals' }, { '[secret LEVEL]2': 1, msg: 'fals' }],
  ])('stays JSON, and only its strings are masked: %s', (_name, record, expected) => {
    expect(JSON.parse(maskLine(`${JSON.stringify(record)}\n`))).toEqual(expected);
  });

  it('shows no secret in any string, whatever the secrets are, and stays JSON', () => {
    const secret = fc.oneof(
      fc.constantFrom('true', 'null', '1234', '"a":', '":{"', '},{"', 'e+10', '0.25'),
      fc.string({ minLength: 4, maxLength: 8 }),
    );
    const record = fc.dictionary(
      fc.string(),
      fc.oneof(fc.string(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null)),
    );
    fc.assert(
      fc.property(secret, record, fc.string(), (value, fields, around) => {
        const given = { ...fields, of: around + value + around };
        const parsed = JSON.parse(createSecrets({ X: value }).maskLine(JSON.stringify(given))) as Record<string, unknown>;
        const last = Object.values(parsed).at(-1);
        expect(typeof last === 'string' && last.includes(value) && !'[secret X]'.includes(value)).toBe(false);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });
});
