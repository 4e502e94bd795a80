/**
 * How a report writes numbers. Owns: digits, units, signs. Must not know: what they measure.
 */

/** 0.5432 as "54.3". */
export function percent(fraction: number): string {
  return (100 * fraction).toFixed(1);
}

const prefixes = ["", " k", " M", " G", " T", " P", " E"];

/** 64 as "64", 0.5 as "0.5", 1234567 as "1.23 M". */
export function compact(value: number): string {
  const thousands = Math.min(prefixes.length - 1, Math.max(0, Math.floor(Math.log10(Math.abs(value) || 1) / 3)));
  return `${Number((value / 1000 ** thousands).toPrecision(3))}${prefixes[thousands]}`;
}

/** Three digits that count: 0.0123, 1.23, 12.3, 1,234. */
export function significant(value: number): string {
  const digits = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  const decimals = Math.min(4, Math.max(0, 2 - digits));
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

/** A ratio of sequential to parallel samples: 16 as "16:1", 0.25 as "1:4". */
export function ratio(value: number): string {
  return value >= 1 ? `${Number(value.toPrecision(3))}:1` : `1:${Number((1 / value).toPrecision(3))}`;
}
