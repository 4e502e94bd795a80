/**
 * The stricter way to grade mathematics: the answer must mean what the reference means.
 *
 * Owns: when two statements are the same. Pure, and in time proportional to the texts.
 * Must not know: how they are read, workers.
 */
import { equal, namesOf, proportional } from "./expression.js";
import { plainLatex } from "./latex.js";
import { difference, statementOf, type Statement } from "./statement.js";

/**
 * Numbers and expressions go by value ("1/2" = "0.5" = "\frac{1}{2}"), lists and sets by their members in any order, tuples,
 * intervals and matrices in theirs, equations up to rearrangement, words by their letters. Degrees, percent signs, currency
 * and units are dropped on both sides. Where a number is a decimal fraction, the two may differ by a millionth.
 */
export function means(answer: string, reference: string): boolean {
  const [given, right] = [plainLatex(answer), plainLatex(reference)];
  return sameText(given, right) || same(statementOf(given), statementOf(right));
}

function same(given: Statement, reference: Statement): boolean {
  const [a, b] = [solved(given, reference), solved(reference, given)];
  if (a.kind === "list" && a.members.length === 1 && b.kind !== "list") return same(a.members[0]!, b);
  if (b.kind === "list" && b.members.length === 1 && a.kind !== "list") return same(a, b.members[0]!);
  if (a.kind === "expression" && b.kind === "expression") return equal(a.expression, b.expression);
  if (a.kind === "list" && b.kind === "list") return sameInAnyOrder(a.members, b.members);
  if (a.kind === "union" && b.kind === "union") return sameInAnyOrder(a.parts, b.parts);
  if (a.kind === "tuple" && b.kind === "tuple") {
    return a.open === b.open && a.close === b.close && sameInOrder(a.members, b.members);
  }
  if (a.kind === "matrix" && b.kind === "matrix") {
    return a.rows.length === b.rows.length && a.rows.every((row, i) => sameInOrder(row, b.rows[i]!));
  }
  if (a.kind === "relation" && b.kind === "relation") return sameRelation(a, b);
  // The reference's base is the one that was asked for.
  if (a.kind === "expression" && b.kind === "based") return a.text === b.digits;
  if (a.kind === "based" && b.kind === "based") return a.digits === b.digits && a.base === b.base;
  if (a.kind === "text" || b.kind === "text") return textOf(a) !== undefined && textOf(a) === textOf(b);
  return false;
}

function sameInOrder(a: readonly Statement[], b: readonly Statement[]): boolean {
  return a.length === b.length && a.every((one, i) => same(one, b[i]!));
}

function sameInAnyOrder(a: readonly Statement[], b: readonly Statement[]): boolean {
  if (a.length !== b.length) return false;
  const left = [...b];
  return a.every((one) => {
    const found = left.findIndex((other) => same(one, other));
    if (found >= 0) left.splice(found, 1);
    return found >= 0;
  });
}

type RelationStatement = Extract<Statement, { kind: "relation" }>;

/**
 * What a relation says of one unknown: "x = 5" is 5, "1 < x" an interval; "2 + 3 = 5" is 5 too. An equation is left as it is
 * where the other is one as well: "y = 2x" is not 2x then, but may be "y - 2x = 0".
 */
function solved(statement: Statement, other: Statement): Statement {
  if (statement.kind !== "relation") return statement;
  const { sides, relations } = statement;
  if (relations.every((one) => one === "=")) {
    if (other.kind === "relation" && other.relations.every((one) => one === "=")) return statement;
    const [left, right] = [sides.slice(0, -1), sides.at(-1)!];
    if (left.every((side) => isUnknown(side) || isArithmetic(side, right))) return statementOf(right, 1);
    return statement;
  }
  return intervalOf(statement) ?? statement;
}

/** x, x_1, f(x), (x, y), "Area", \angle ABC, \tan A. */
function isUnknown(side: string): boolean {
  const name =
    /^(?:\\text\s*\{[^{}]*\}|\\?[a-zA-Z]+(?:_\{?\w+\}?)?'?(?:\([a-z](?:, ?[a-z])*\))?|\([a-z](?:, ?[a-z])*\))$/;
  return name.test(side) || /^m? ?\\(?:angle|triangle|sin|cos|tan|cot|sec|csc) ?[a-zA-Z]{1,3}$/.test(side);
}

function isArithmetic(left: string, right: string): boolean {
  const [a, b] = [statementOf(left, 1), statementOf(right, 1)];
  return (
    a.kind === "expression" &&
    b.kind === "expression" &&
    namesOf(a.expression).size === 0 &&
    equal(a.expression, b.expression)
  );
}

function intervalOf({ sides, relations }: RelationStatement): Statement | undefined {
  const at = sides.findIndex((side) => /^[a-zA-Z]$/.test(side));
  const ascending = relations.every((one) => one === "<" || one === "\\le");
  if (at < 0 || !(ascending || relations.every((one) => one === ">" || one === "\\ge"))) return undefined;
  if (sides.length > 3 || (sides.length === 3 && at !== 1)) return undefined;
  const before = at > 0 ? { end: sides[at - 1]!, open: relations[at - 1]!.length === 1 } : undefined;
  const after = at < sides.length - 1 ? { end: sides[at + 1]!, open: relations[at]!.length === 1 } : undefined;
  const [low, high] = ascending ? [before, after] : [after, before];
  return {
    kind: "tuple",
    open: low && !low.open ? "[" : "(",
    close: high && !high.open ? "]" : ")",
    members: [statementOf(low?.end ?? "-\\infty", 1), statementOf(high?.end ?? "\\infty", 1)],
  };
}

function sameRelation(a: RelationStatement, b: RelationStatement): boolean {
  if (a.sides.length !== b.sides.length) return false;
  if (a.sides.length > 2) {
    return (
      a.relations.every((one, i) => one === b.relations[i]) &&
      a.sides.every((side, i) => same(statementOf(side, 1), statementOf(b.sides[i]!, 1)))
    );
  }
  const [left, right] = [ascending(a), ascending(b)];
  if (left.relation !== right.relation) return false;
  if (left.sides.every((side, i) => same(statementOf(side, 1), statementOf(right.sides[i]!, 1)))) return true;
  const [from, to] = [difference(...left.sides), difference(...right.sides)];
  return from !== undefined && to !== undefined && proportional(from, to, /<|le/.test(left.relation));
}

/** With < and \le alone. */
function ascending({ sides, relations }: RelationStatement): { relation: string; sides: [string, string] } {
  const [relation, [left, right]] = [relations[0]!, sides as [string, string]];
  if (relation === ">") return { relation: "<", sides: [right, left] };
  if (relation === "\\ge") return { relation: "\\le", sides: [right, left] };
  return { relation, sides: [left, right] };
}

function textOf(statement: Statement): string | undefined {
  if (statement.kind !== "text" && statement.kind !== "expression") return undefined;
  return letters(statement.text);
}

function sameText(a: string, b: string): boolean {
  return a.replace(/\s/g, "") === b.replace(/\s/g, "");
}

function letters(text: string): string {
  return text.replace(/\\text|[\s{}]/g, "").toLowerCase();
}
