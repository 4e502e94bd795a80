/**
 * Numbers that an expression may come to: exact fractions as long as that is cheap, complex doubles otherwise.
 *
 * Owns: arithmetic in bounded time, what is undefined, and when two numbers are the same.
 * Must not know: expressions, LaTeX.
 */
import { Complex } from "complex.js";
import Fraction from "fraction.js";

export type Value = Fraction | Complex;

/** Undefined is what has no value (1/0), or none that can be had cheaply (9^9^9). */
type Maybe = Value | undefined;

/** Past this a fraction goes on as a double: it bounds the time of every operation, and a double still holds it. */
const mostBits = 1000n;
const most = 1n << mostBits;

/** Of n! and of C(n, k). */
const largest = { factorial: 170n, binomial: 1000n };

export function exactly(over: bigint, under = 1n): Fraction {
  return new Fraction(over, under);
}

function isInteger(value: Value): value is Fraction {
  return value instanceof Fraction && value.d === 1n;
}

export const operations: Readonly<Record<string, (...values: Value[]) => Maybe>> = {
  add: (a, b) =>
    either(
      a,
      b,
      (a, b) => a.add(b),
      (a, b) => a.add(b),
    ),
  subtract: (a, b) =>
    either(
      a,
      b,
      (a, b) => a.sub(b),
      (a, b) => a.sub(b),
    ),
  multiply: (a, b) =>
    either(
      a,
      b,
      (a, b) => a.mul(b),
      (a, b) => a.mul(b),
    ),
  divide: (a, b) =>
    isZero(b)
      ? undefined
      : either(
          a,
          b,
          (a, b) => a.div(b),
          (a, b) => a.div(b),
        ),
  negate: (a) => (a instanceof Fraction ? a.neg() : a.neg()),
  power: (a, b) => power(a, b),
  root: (radicand, index) => root(radicand, index),
  abs: (a) => (a instanceof Fraction ? a.abs() : finite(new Complex(a.abs(), 0))),
  floor: (a) => rounded(a, Math.floor, (a) => a.floor()),
  ceil: (a) => rounded(a, Math.ceil, (a) => a.ceil()),
  factorial: (n) => factorial(n),
  binomial: (n, k) => binomial(n, k),
  log: (a, base) => (isZero(a) ? undefined : finite(complex(a).log().div(complex(base).log()))),
  ln: (a) => (isZero(a) ? undefined : finite(complex(a).log())),
  ...Object.fromEntries(
    (
      [
        ...(["sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth", "sech", "csch", "exp"] as const),
        ...(["asin", "acos", "atan", "acot", "asec", "acsc"] as const),
      ] as const
    ).map((name) => [name, (a: Value) => finite(complex(a)[name]())]),
  ),
};

export const constants: Readonly<Record<string, Value>> = {
  pi: new Complex(Math.PI, 0),
  e: new Complex(Math.E, 0),
  i: new Complex(0, 1),
};

/** The same but for rounding. Two fractions are the same only exactly. */
export function same(a: Value, b: Value): boolean {
  if (a instanceof Fraction && b instanceof Fraction) return a.equals(b);
  const [left, right] = [complex(a), complex(b)];
  const [apart, size] = [left.sub(right).abs(), Math.max(left.abs(), right.abs())];
  return apart <= 1e-9 * size || (size <= 1e-12 && apart <= 1e-12);
}

/** Apart by the tolerance at most, absolutely and relatively: for what was written as a decimal, and so perhaps rounded. */
export function nearly(a: Value, b: Value, tolerance: number): boolean {
  if (a instanceof Fraction && b instanceof Fraction) {
    const apart = a.sub(b).abs();
    const size = a.abs().compare(b.abs()) > 0 ? a.abs() : b.abs();
    return apart.compare(tolerance) <= 0 && apart.compare(size.mul(tolerance)) <= 0;
  }
  const [left, right] = [complex(a), complex(b)];
  const [apart, size] = [left.sub(right).abs(), Math.max(left.abs(), right.abs())];
  return apart <= tolerance && apart <= tolerance * size;
}

function either(
  a: Value,
  b: Value,
  exact: (a: Fraction, b: Fraction) => Fraction,
  rounded: (a: Complex, b: Complex) => Complex,
): Maybe {
  if (a instanceof Fraction && b instanceof Fraction) {
    const value = exact(a, b);
    if (value.n < most && value.d < most) return value;
  }
  return finite(rounded(complex(a), complex(b)));
}

function power(a: Value, b: Value): Maybe {
  if (isZero(a)) return b instanceof Fraction && b.s > 0n ? exactly(0n) : undefined;
  if (a instanceof Fraction && isInteger(b)) {
    const size = a.n > a.d ? a.n : a.d;
    if (size === 1n || b.n * BigInt(size.toString(2).length) <= mostBits) return integerPower(a, b);
  }
  return finite(complex(a).pow(complex(b)));
}

function integerPower(a: Fraction, b: Fraction): Fraction {
  const [over, under] = [(a.s * a.n) ** (a.n === 1n && a.d === 1n ? b.n % 2n : b.n), a.d ** (a.d === 1n ? 1n : b.n)];
  return b.s < 0n ? exactly(under, over) : exactly(over, under);
}

/** Of a real number the real one, where there is one. */
function root(radicand: Value, index: Value): Maybe {
  if (isZero(index)) return undefined;
  if (isZero(radicand)) return radicand;
  if (radicand instanceof Fraction && isInteger(index)) {
    const odd = index.n % 2n === 1n;
    const sign = radicand.s < 0n && odd ? -1 : 1;
    const value = complex(sign < 0 ? radicand.neg() : radicand).pow(1 / Number(index.s * index.n), 0);
    return finite(value.mul(sign));
  }
  return finite(complex(radicand).pow(complex(exactly(1n)).div(complex(index))));
}

function rounded(a: Value, round: (a: number) => number, exact: (a: Fraction) => Fraction): Maybe {
  if (a instanceof Fraction) return exact(a);
  const nearest = Math.round(a.re);
  // What is an integer but for rounding must not fall to the one below.
  const real = Math.abs(a.re - nearest) < 1e-9 ? nearest : round(a.re);
  return Math.abs(a.im) < 1e-9 && Number.isSafeInteger(real) ? exactly(BigInt(real)) : undefined;
}

function factorial(n: Value): Maybe {
  if (!isInteger(n) || n.s < 0n || n.n > largest.factorial) return undefined;
  let product = 1n;
  for (let factor = 2n; factor <= n.n; factor++) product *= factor;
  return exactly(product);
}

function binomial(n: Value, k: Value): Maybe {
  if (!isInteger(n) || !isInteger(k) || n.s < 0n || k.s < 0n || n.n > largest.binomial) return undefined;
  let product = 1n;
  for (let i = 0n; i < k.n && product !== 0n; i++) product = (product * (n.n - i)) / (i + 1n);
  return exactly(product);
}

function isZero(value: Value): boolean {
  return value instanceof Fraction ? value.n === 0n : value.re === 0 && value.im === 0;
}

function finite(value: Complex): Complex | undefined {
  return Number.isFinite(value.re) && Number.isFinite(value.im) ? value : undefined;
}

export function complex(value: Value): Complex {
  if (value instanceof Complex) return value;
  return new Complex((Number(value.s) * Number(value.n)) / Number(value.d), 0);
}
