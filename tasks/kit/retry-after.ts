/*
 * `Retry-After`, as RFC 9110 10.2.3 writes it: a number of seconds, or an HTTP-date in one of the three forms of 5.6.7. What is neither is not
 * guessed at, because `Date.parse` makes a date of nearly anything: it took `1.5` and `-1` for days of the year 2001.
 */

const DAYS = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const LONG_DAYS = '(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)';
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MONTH = `(?<month>${MONTHS.join('|')})`;
const TIME = '(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)';
/** As it is sent today, and the two obsolete forms that a recipient has to read. Case counts. */
const DATE_FORMS = [
  new RegExp(`^${DAYS}, (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^${LONG_DAYS}, (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT$`),
  new RegExp(`^${DAYS} ${MONTH} (?<day>\\d\\d| \\d) ${TIME} (?<year>\\d{4})$`),
];

/** The header's value is as long as its server likes; nothing readable is longer. */
const LENGTH_MAX = 1024;
/** From here on a number is no delay, of which this would be 31 years, but an instant in seconds since 1970, as some servers send it. */
const EPOCH_FROM = 1_000_000_000;
/** An instant that is further away than this is none that anybody could mean. */
const AHEAD_MAX_SECONDS = 31_536_000;

/**
 * The seconds that a server asks to wait; undefined when it asks for none, or cannot be understood. An instant is compared with the server's
 * own clock (`date`, its header) where it tells it; one in the past is 0.
 *
 * A header has one value. Lines that say the same, which a proxy may have doubled, are one (as 8.6 has it for `Content-Length`); of
 * different ones nobody knows which counts.
 */
export function retryAfterSeconds(header: string | undefined, date: string | undefined, now: number): number | undefined {
  if (header === undefined || header.length > LENGTH_MAX) return undefined;
  const serverNow = (date === undefined ? undefined : httpDate(date, now)) ?? now;
  const values = valuesOf(header).map((value) => secondsOf(value, serverNow));
  return values.every((seconds) => seconds === values[0]) ? values[0] : undefined;
}

/** The values of repeated lines, which arrive joined by commas. A date contains a comma itself, behind the name of its day. */
function valuesOf(header: string): string[] {
  return header.split(/(?<!day|Mon|Tue|Wed|Thu|Fri|Sat|Sun),/).map((value) => value.replace(/^[ \t]+|[ \t]+$/g, ''));
}

function secondsOf(value: string, now: number): number | undefined {
  if (/^\d+(?:\.\d+)?$/.test(value)) {
    const seconds = Number(value);
    if (seconds < EPOCH_FROM) return seconds;
    const ahead = seconds - now / 1000;
    return ahead > 0 && ahead <= AHEAD_MAX_SECONDS ? ahead : undefined;
  }
  const at = httpDate(value, now);
  return at === undefined ? undefined : Math.max(0, (at - now) / 1000);
}

/** The instant of an HTTP-date in milliseconds since 1970; undefined for any other text. */
function httpDate(text: string, now: number): number | undefined {
  for (const form of DATE_FORMS) {
    const parts = form.exec(text)?.groups;
    if (parts === undefined) continue;
    const [day, hour, minute, second] = [parts.day, parts.hour, parts.minute, parts.second].map(Number) as [number, number, number, number];
    const month = MONTHS.indexOf(parts.month as string);
    const year = yearOf(parts.year as string, now);
    const at = new Date(0);
    // Unlike Date.UTC, this takes the years before 100 as they are.
    at.setUTCFullYear(year, month, day);
    if (at.getUTCMonth() !== month) return undefined;
    return at.setUTCHours(hour, minute, second);
  }
  return undefined;
}

/** RFC 9110 5.6.7: two digits that seem to be more than 50 years ahead are of the century before. */
function yearOf(digits: string, now: number): number {
  if (digits.length === 4) return Number(digits);
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + Number(digits);
  return year > thisYear + 50 ? year - 100 : year;
}
