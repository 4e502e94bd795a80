/**
 * Expressions, and what they come to.
 *
 * Owns: their shape, their value at a point, and equality: exact where there are no names, at random points otherwise.
 * Must not know: how they are written.
 *
 * Nothing is simplified: a value costs time in proportion to the text, and no text can make it cost more.
 */
import type Fraction from "fraction.js";

import { constants, exactly, nearly, operations, same, type Value } from "./value.js";

export type Expression =
  | { readonly kind: "number"; readonly value: Fraction; readonly decimal: boolean }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "call"; readonly operation: string; readonly operands: readonly Expression[] };

export function number(value: Fraction, decimal = false): Expression {
  return { kind: "number", value, decimal };
}

export function call(operation: string, ...operands: readonly Expression[]): Expression {
  return { kind: "call", operation, operands };
}

/** @param rounding what a decimal fraction may be off by, absolutely and relatively. */
export function equal(a: Expression, b: Expression, rounding = 1e-6): boolean {
  const names = namesOf(a, b);
  if (names.has(infinity)) return infinite(a) !== 0 && infinite(a) === infinite(b);
  if (names.size === 0) {
    const [left, right] = [valueOf(a, new Map()), valueOf(b, new Map())];
    if (left === undefined || right === undefined) return false;
    return same(left, right) || ((hasDecimal(a) || hasDecimal(b)) && nearly(left, right, rounding));
  }
  return agree(a, b, names, (left, right) => same(left, right));
}

/** Whether a = k b for a number k other than zero; `positive`: above zero. */
export function proportional(a: Expression, b: Expression, positive = false): boolean {
  const names = namesOf(a, b);
  if (names.size === 0 || names.has(infinity)) return false;
  let factor: Value | undefined;
  return agree(a, b, names, (left, right) => {
    const ratio = operations["divide"]!(left, right);
    if (ratio === undefined || same(ratio, exactly(0n))) return false;
    if (positive && !isPositive(ratio)) return false;
    factor ??= ratio;
    return same(ratio, factor);
  });
}

/** The names that stand for numbers: all but pi, e and i. */
export function namesOf(...expressions: readonly Expression[]): Set<string> {
  const names = new Set<string>();
  visit(expressions, (one) => {
    if (one.kind === "name" && !(one.name in constants)) names.add(one.name);
  });
  return names;
}

const infinity = "\\infty";

/** Its sign; 0 of anything else, also of sums with it, which have no value. */
function infinite(expression: Expression): number {
  if (expression.kind === "name") return expression.name === infinity ? 1 : 0;
  return expression.kind === "call" && expression.operation === "negate" ? -infinite(expression.operands[0]!) : 0;
}

/** Undefined where there is no value, or a name has none. */
export function valueOf(expression: Expression, point: ReadonlyMap<string, Value>): Value | undefined {
  if (expression.kind === "number") return expression.value;
  if (expression.kind === "name") return point.get(expression.name) ?? constants[expression.name];
  const values: Value[] = [];
  for (const operand of expression.operands) {
    const value = valueOf(operand, point);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return operations[expression.operation]!(...values);
}

/** At every point where both have a value, of which there must be enough. */
function agree(
  a: Expression,
  b: Expression,
  names: ReadonlySet<string>,
  test: (left: Value, right: Value) => boolean,
): boolean {
  let tested = 0;
  for (const point of pointsFor([...names].sort())) {
    const [left, right] = [valueOf(a, point), valueOf(b, point)];
    if ((left === undefined) !== (right === undefined)) return false;
    if (left === undefined || right === undefined) continue;
    if (!test(left, right)) return false;
    tested++;
  }
  return tested >= 5;
}

/** The same for the same names: fractions of both signs, mostly near one, so that powers neither vanish nor overflow. */
function* pointsFor(names: readonly string[]): Generator<Map<string, Value>> {
  let state = 12_345n;
  const next = (below: bigint) => {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) % (1n << 64n);
    return (state >> 33n) % below;
  };
  for (let i = 0; i < 8; i++) {
    yield new Map(
      names.map((name) => {
        const size = exactly(30n + next(170n), 101n);
        return [name, i > 0 && next(2n) === 0n ? size.neg() : size];
      }),
    );
  }
}

function isPositive(value: Value): boolean {
  return "s" in value ? value.s > 0n : value.re > 0 && Math.abs(value.im) <= 1e-9 * value.re;
}

function hasDecimal(expression: Expression): boolean {
  let found = false;
  visit([expression], (one) => (found ||= one.kind === "number" && one.decimal));
  return found;
}

function visit(expressions: readonly Expression[], look: (one: Expression) => void): void {
  for (const one of expressions) {
    look(one);
    if (one.kind === "call") visit(one.operands, look);
  }
}
