/** The change of a queue per second, from its levels of the last seconds; null with too few of them. */
export function trendOf(levels: readonly number[]): number | null {
  if (levels.length < 4) return null;
  // Least squares: two levels alone would tell of the moment, and a queue that items leave in batches goes up and down all the time.
  const middle = (levels.length - 1) / 2;
  let over = 0;
  let under = 0;
  levels.forEach((level, i) => {
    over += (i - middle) * level;
    under += (i - middle) ** 2;
  });
  return over / under;
}
