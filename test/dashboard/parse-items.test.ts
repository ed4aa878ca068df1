import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { losesDigits } from '../../dashboard/state/lost-integers.ts';
import { ItemsFault, parseItems } from '../../dashboard/state/parse-items.ts';
import { losesDigits as asTheService } from '../../src/schemas/big-numbers.ts';

describe('what is pasted', () => {
  it.each([
    ['[{"id": 1}, [2, "a,b]"], "x"]', 'JSON', ['{"id": 1}', '[2, "a,b]"]', '"x"']],
    ['{"items": [1, {"a": "\\"]"}]}', 'JSON', ['1', '{"a": "\\"]"}']],
    ['{\n  "id": "a",\n  "value": 3\n}', 'JSON', ['{ "id": "a", "value": 3 }']],
    ['[]', 'JSON', []],
    ['{"id": 1}\n\n{"id": 2}\r\n', 'NDJSON', ['{"id": 1}', '{"id": 2}']],
    ['"one"\n"two"', 'NDJSON', ['"one"', '"two"']],
    ['12\n13', 'NDJSON', ['12', '13']],
    ['id,title\na-1,"He said ""no"", twice"\na-2,', 'CSV', ['{"id":"a-1","title":"He said \\"no\\", twice"}', '{"id":"a-2","title":null}']],
    ['id;n\r\n1;2.5\r\n"1";007\r\n', 'CSV', ['{"id":1,"n":2.5}', '{"id":"1","n":"007"}']],
    ['"id","a"\n1,"two\nlines"', 'CSV', ['{"id":1,"a":"two\\nlines"}']],
    ['', 'NDJSON', []],
  ])('is told apart: %j', (text, form, lines) => {
    expect(parseItems(text)).toEqual({ form, lines });
  });

  it.each([
    ['{"meta":\n{"items": [9]}, "items": [1]}', { lines: ['1'], left: ['meta'] }],
    ['{"meta": {"items": [9]}, "items": [1]}', { lines: ['1'], left: ['meta'] }],
    ['{"note": "\\"items\\": [", "items" : [1, 2], "items": [3]}', { lines: ['3'], left: ['note'] }],
    ['{"it\\u0065ms": ["a:b"]}', { lines: ['"a:b"'] }],
    [
      '{\n"priority": 5, "items": [[1],\n{"items": [2]}], "targetStage": "Hold", "feedId": "f", "onDuplicate": "rerun"}',
      { lines: ['[1]', '{"items": [2]}'], options: { priority: 5, targetStage: 'Hold', feedId: 'f', onDuplicate: 'rerun' } },
    ],
    ['{"items": [], "priority": "5", "toString": 1}', { lines: [], left: ['priority', 'toString'] }],
    ['{\n"id": "order", "items": [1, 2]}', { lines: ['{ "id": "order", "items": [1, 2]}'] }],
    ['{"value": 1, "items": [1, 2]}\n', { form: 'NDJSON', lines: ['{"value": 1, "items": [1, 2]}'] }],
  ])('is read as a body of a feed by its outermost members alone: %j', (text, parsed) => {
    expect(parseItems(text)).toEqual({ form: 'JSON', ...parsed });
  });

  it.each([
    ['id,a,b,a\n1,2,3,4', 'line 1: names the column "a" twice'],
    ['\n\n"a"; a \n1;2', 'line 3: names the column "a" twice'],
    ['id,,\n1,2,3', 'line 1: names the column "" twice'],
  ])('is refused when two columns have one name: %j', (text, message) => {
    expect(() => parseItems(text)).toThrow(message);
  });

  it.each([
    ['{"id": 9007199254740993}\n', '{"id": 9007199254740993}'],
    ['[{"id": 9007199254740993}]', '{"id": 9007199254740993}'],
    ['id,a\n9007199254740993,1', '{"id":"9007199254740993","a":1}'],
    // A table has no types, so a text is as good.
    ['id,a\n1,-9007199254740993', '{"id":1,"a":"-9007199254740993"}'],
    // Of these a number has all digits.
    [
      '{"a": [9007199254740992, 1000000000000000000000, 90071992547409931e-1]}',
      '{"a": [9007199254740992, 1000000000000000000000, 90071992547409931e-1]}',
    ],
    ['{"a": "9007199254740993"}', '{"a": "9007199254740993"}'],
  ])('keeps the digits of integers beyond 2^53: %j', (text, line) => {
    expect(parseItems(text).lines).toEqual([line]);
  });

  it.each([
    ['{"id": 1}\n{"id": 2, "n": 9007199254740993}\n', 2],
    ['{"id": 1, "value": {"id": 9007199254740993}}\n{"id": 2}', 1],
    ['9007199254740993\n1', 1],
    ['[\n  {"id": 1},\n  {"id": 2, "n": 9007199254740993}\n]', 3],
    ['{"items": [{"id": 9007199254740995, "n": 9007199254740993}]}', 1],
  ])('is refused, before anything is sent, with the line of an integer that no number can hold: %j', (text, line) => {
    expect(() => parseItems(text)).toThrow(
      `line ${line}: holds the integer 9007199254740993, which a number cannot hold exactly. In quotes it keeps its digits`,
    );
  });

  it('holds the same integers for lost as the service', () => {
    const digits = fc.tuple(fc.constantFrom('', '-'), fc.bigInt({ min: 0n, max: 10n ** 25n }), fc.nat(6));
    fc.assert(
      fc.property(digits, ([sign, value, zeros]) => {
        const source = `${sign}${value}${'0'.repeat(zeros)}`;
        expect(losesDigits(source)).toBe(asTheService(source));
      }),
    );
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(losesDigits(String(value))).toBe(false);
      }),
    );
  });

  it.each([
    ['{"id": 1}\n{"id": }\n', 2],
    ['[1, 2', 1],
    ['id,a\n1,2\n3', 3],
    ['id,a\n"1,2', 2],
    ['no names here', 1],
  ])('is refused with the line that is wrong: %j', (text, line) => {
    expect(() => parseItems(text)).toThrow(ItemsFault);
    try {
      parseItems(text);
    } catch (error) {
      expect((error as ItemsFault).line).toBe(line);
    }
  });

  it('is the same whichever way JSON is written', () => {
    const objects = fc.array(fc.dictionary(fc.string(), fc.jsonValue()), { minLength: 2, maxLength: 5 });
    fc.assert(
      fc.property(objects, (items) => {
        const parsed = (text: string): unknown[] => parseItems(text).lines.map((line) => JSON.parse(line));
        const plain = JSON.parse(JSON.stringify(items));
        expect(parsed(JSON.stringify(items))).toEqual(plain);
        expect(parsed(JSON.stringify(items, null, 2))).toEqual(plain);
        expect(parsed(items.map((item) => JSON.stringify(item)).join('\n'))).toEqual(plain);
      }),
    );
  });
});
