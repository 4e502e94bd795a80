/**
 * An expression, from the LaTeX or plain text that models write.
 *
 * Owns: the grammar: what multiplies without a sign, how far a function reaches, mixed numbers.
 * Must not know: equations, lists, intervals; what an expression comes to.
 */
import { call, number, type Expression } from "./expression.js";
import { exactly } from "./value.js";

/** What is no expression: words, unknown commands, unbalanced groups, nesting without end. */
export class Unreadable extends Error {}

const deepest = 100;

/** Also those that plain text names without a backslash. */
const functions = new Set(
  "sin cos tan cot sec csc asin acos atan acot asec acsc sinh cosh tanh coth sech csch exp ln log lg".split(" "),
);
const plainNames: Readonly<Record<string, string>> = {
  ...Object.fromEntries([...functions].map((name) => [name, `\\${name}`])),
  ...{ sqrt: "\\sqrt", pi: "\\pi", theta: "\\theta", alpha: "\\alpha", beta: "\\beta", infty: "\\infty" },
  ...{ infinity: "\\infty", arcsin: "\\asin", arccos: "\\acos", arctan: "\\atan" },
};
const greek = new Set(
  (
    "pi infty alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau " +
    "upsilon phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell"
  )
    .split(" ")
    .map((name) => `\\${name}`),
);

/** A word, not a product: letters that nobody takes for a product's names stand in it. "abc" is a product, "east" a word. */
const word = /^(?=.*[eioEIO])[a-zA-Z]{3,}$/;

const token = /\s*(?:(\d+(?:\.\d*)?|\.\d+)|(\\(?:[a-zA-Z]+|.))|([a-zA-Z]+)|(\S))/y;

/** @throws {Unreadable} */
export function parseExpression(text: string): Expression {
  return new Parser(tokensOf(text)).whole();
}

function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  token.lastIndex = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const [, digits, command, letters, sign] = match;
    if (letters === undefined) tokens.push((digits ?? command ?? sign)!);
    else if (plainNames[letters] !== undefined) tokens.push(plainNames[letters]);
    else if (word.test(letters)) throw new Unreadable();
    else tokens.push(...letters);
  }
  return tokens;
}

class Parser {
  private at = 0;
  private depth = 0;
  /** Of |...| that are open: a bar closes the innermost. */
  private bars = 0;

  constructor(private readonly tokens: string[]) {}

  whole(): Expression {
    const sum = this.sum();
    if (this.at < this.tokens.length) throw new Unreadable();
    return sum;
  }

  private sum(): Expression {
    if (++this.depth > deepest) throw new Unreadable();
    const first = this.sign();
    let sum = this.product();
    if (first < 0) sum = call("negate", sum);
    while (this.next === "+" || this.next === "-") {
      const operation = this.take() === "+" ? "add" : "subtract";
      const sign = this.sign();
      const term = this.product();
      sum = call(operation, sum, sign < 0 ? call("negate", term) : term);
    }
    this.depth--;
    return sum;
  }

  private sign(): 1 | -1 {
    let sign: 1 | -1 = 1;
    while (this.next === "+" || this.next === "-") if (this.take() === "-") sign = sign === 1 ? -1 : 1;
    return sign;
  }

  private product(): Expression {
    let product = this.factor();
    for (;;) {
      if (this.next === "*" || this.next === "/") {
        const operation = this.take() === "*" ? "multiply" : "divide";
        const negative = this.sign() < 0;
        const factor = this.factor();
        product = call(operation, product, negative ? call("negate", factor) : factor);
      } else if (this.begins()) product = call("multiply", product, this.factor());
      else return product;
    }
  }

  private factor(): Expression {
    const from = this.at;
    const base = this.primary();
    const whole = this.at === from + 1 && base.kind === "number" && !base.decimal;
    if (whole && this.next === "\\frac") {
      const fraction = this.primary();
      const plain = fraction.kind === "call" && fraction.operands.every(({ kind }) => kind === "number");
      return call(plain ? "add" : "multiply", base, this.raised(fraction));
    }
    return this.raised(base);
  }

  private raised(base: Expression): Expression {
    for (;;) {
      if (this.next === "!") {
        this.take();
        base = call("factorial", base);
      } else if (this.next === "^") {
        this.take();
        base = call("power", base, this.exponent());
      } else return base;
    }
  }

  private exponent(): Expression {
    const negative = this.sign() < 0;
    const exponent = this.primary();
    // As in "2^3^2", which LaTeX refuses and plain text reads from the right.
    const whole = this.next === "^" ? this.raised(exponent) : exponent;
    return negative ? call("negate", whole) : whole;
  }

  private primary(): Expression {
    const token = this.take();
    if (/^[\d.]/.test(token)) return this.number(token);
    if (/^[a-zA-Z]$/.test(token) || greek.has(token)) return this.name(token.replace("\\pi", "pi"));
    if (functions.has(token.slice(1))) return this.applied(token.slice(1));
    switch (token) {
      case "(":
        return this.until(")");
      case "[":
        return this.until("]");
      case "{":
        return this.until("}");
      case "|":
        return this.absolute();
      case "\\lfloor":
        return call("floor", this.until("\\rfloor"));
      case "\\lceil":
        return call("ceil", this.until("\\rceil"));
      case "\\frac":
        return call("divide", this.argument(), this.argument());
      case "\\binom":
        return call("binomial", this.argument(), this.argument());
      case "\\sqrt":
        return this.root();
    }
    throw new Unreadable();
  }

  private number(token: string): Expression {
    const [whole = "", decimals = ""] = token.split(".");
    const value = exactly(BigInt(whole + decimals), 10n ** BigInt(decimals.length));
    if (!token.includes(".") || this.next !== "\\overline") return number(value, decimals !== "");
    this.take();
    this.expect("{");
    const period = this.take();
    if (!/^\d+$/.test(period)) throw new Unreadable();
    this.expect("}");
    const scale = 10n ** BigInt(decimals.length);
    return number(value.add(exactly(BigInt(period), scale * (10n ** BigInt(period.length) - 1n))));
  }

  /** With its subscript, if it has one: x_1, a_{n+1}. */
  private name(name: string): Expression {
    if (this.next !== "_") return { kind: "name", name };
    this.take();
    return { kind: "name", name: `${name}_${this.group().join("")}` };
  }

  private applied(name: string): Expression {
    let base: Expression | undefined;
    if (this.next === "_") {
      this.take();
      base = new Parser(this.group()).whole();
    }
    let exponent: Expression | undefined;
    if (this.next === "^") {
      this.take();
      exponent = this.exponent();
    }
    const of = this.reach();
    if (name === "log" || name === "lg") {
      // Without a base it is the natural one to some and the decimal one to others: it stays a name of its own.
      const value = base ? call("log", of, base) : call("multiply", { kind: "name", name: "log" }, call("ln", of));
      return exponent ? call("power", value, exponent) : value;
    }
    const inverse = exponent?.kind === "call" && exponent.operation === "negate" && isOne(exponent.operands[0]!);
    if (inverse && operationsInverse.has(name)) return call(`a${name}`, of);
    return exponent ? call("power", call(name, of), exponent) : call(name, of);
  }

  /** What a function takes: a group, or the factors up to the next sign or function. */
  private reach(): Expression {
    if (this.next === "(" || this.next === "{" || this.next === "[") return this.raised(this.primary());
    if (this.next === "-") return call("negate", (this.take(), this.reach()));
    let product = this.factor();
    while (this.begins() && !functions.has(this.next!.slice(1)) && this.next !== "(") {
      product = call("multiply", product, this.factor());
    }
    return product;
  }

  private root(): Expression {
    let index: Expression = number(exactly(2n));
    if (this.next === "[") {
      this.take();
      index = this.until("]");
    }
    return call("root", this.argument(), index);
  }

  /** A group, or one character as LaTeX takes it: \frac12, \sqrt8. */
  private argument(): Expression {
    const next = this.next;
    if (next !== undefined && /^\d\d+$/.test(next)) {
      this.tokens.splice(this.at, 1, next[0]!, next.slice(1));
    }
    return this.primary();
  }

  /** The tokens of a subscript. */
  private group(): string[] {
    const first = this.take();
    if (first !== "{") return [first];
    const from = this.at;
    for (let depth = 1; depth > 0;) {
      const token = this.take();
      if (token === "{") depth++;
      if (token === "}") depth--;
    }
    return this.tokens.slice(from, this.at - 1);
  }

  private absolute(): Expression {
    this.bars++;
    const inside = this.until("|");
    this.bars--;
    return call("abs", inside);
  }

  private until(closing: string): Expression {
    const inside = this.sum();
    this.expect(closing);
    return inside;
  }

  /** Whether a factor begins here that multiplies what stands before it. */
  private begins(): boolean {
    const { next } = this;
    if (next === undefined) return false;
    if (next === "|") return this.bars === 0;
    if (/^[\d.]/.test(next)) return !/^[\d.]/.test(this.tokens[this.at - 1]!);
    return /^[a-zA-Z({[]$/.test(next) || greek.has(next) || functions.has(next.slice(1)) || openings.has(next);
  }

  private get next(): string | undefined {
    return this.tokens[this.at];
  }

  private take(): string {
    const token = this.tokens[this.at++];
    if (token === undefined) throw new Unreadable();
    return token;
  }

  private expect(token: string): void {
    if (this.take() !== token) throw new Unreadable();
  }
}

const openings = new Set(["\\frac", "\\binom", "\\sqrt", "\\lfloor", "\\lceil"]);
const operationsInverse = new Set(["sin", "cos", "tan", "cot", "sec", "csc"]);

function isOne(expression: Expression): boolean {
  return expression.kind === "number" && expression.value.equals(1);
}
