/**
 * The text of an answer, without what does not change its meaning.
 *
 * Owns: the many ways to write one thing in LaTeX or in Unicode; marks of units that are dropped.
 * Must not know: expressions.
 */

/** What is written instead of LaTeX's own commands. */
const signs: Readonly<Record<string, string>> = {
  ...{ "√": "\\sqrt ", π: "\\pi ", θ: "\\theta ", "∞": "\\infty ", "∪": "\\cup ", "∩": "\\cap ", "∈": "\\in " },
  ...{ "×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "−": "-", "–": "-", "±": "\\pm ", "≤": "\\le ", "≥": "\\ge " },
  ...{ "≠": "\\ne ", "²": "^2", "³": "^3", "½": "\\frac{1}{2}", "∅": "\\emptyset ", "°": "", "′": "'" },
};

const synonyms: Readonly<Record<string, string>> = {
  ...{ dfrac: "\\frac", tfrac: "\\frac", cfrac: "\\frac", dbinom: "\\binom", tbinom: "\\binom" },
  ...{ cdot: "*", times: "*", ast: "*", div: "/", leq: "\\le ", geq: "\\ge ", leqslant: "\\le ", geqslant: "\\ge " },
  ...{
    lt: "<",
    gt: ">",
    neq: "\\ne ",
    varnothing: "\\emptyset ",
    lbrace: "\\{",
    rbrace: "\\}",
    lbrack: "[",
    rbrack: "]",
  },
  ...{ lvert: "|", rvert: "|", vert: "|", mid: "|", langle: "⟨", rangle: "⟩", infin: "\\infty " },
  ...{ arccos: "\\acos ", arcsin: "\\asin ", arctan: "\\atan ", arccot: "\\acot ", colon: ":", degree: "", circ: "" },
  ...{ left: "", right: "", big: "", Big: "", bigg: "", Bigg: "", bigl: "", bigr: "", Bigl: "", Bigr: "" },
  ...{
    displaystyle: "",
    textstyle: "",
    limits: "",
    quad: " ",
    qquad: " ",
    space: " ",
    dots: "\\ldots ",
    cdots: "\\ldots ",
  },
};

/** Their argument is set in another type. */
const typeface =
  /\\(?:mathbf|mathit|mathbb|mathcal|boldsymbol|bm|pmb|displaylines|boxed|fbox|emph|underline|ensuremath)\s*\{/;

/** In one form: \text for all text, \frac for all fractions, no thousands marks, no degrees, no percent, no currency. */
export function plainLatex(text: string): string {
  let plain = text
    .replace(/[√πθ∞∪∩∈×·⋅∗÷−–±≤≥≠²³½∅°′]/g, (sign) => signs[sign]!)
    .replace(/\\\\(?=(?:frac|sqrt|pi|text|cdot|left|right)(?![a-zA-Z]))/g, "\\") // escaped once too often
    .replace(/^\s*(?:\\\[|\\\(|\$\$?)|(?:\\\]|\\\)|\$\$?)\s*$/g, "")
    .replace(/\\(?:mbox|hbox|textrm|textbf|textit|textnormal|mathrm|operatorname)\*?\s*\{/g, "\\text{")
    .replace(/(\d)(?:\s*,\s*\\!\s*|\{,\}|\\[,!]\s?)(?=\d{3}(?!\d))/g, "$1") // marks of thousands
    .replace(/\\!/g, "")
    .replace(/(?<!\\)\\[,;:> ]|~/g, " ");
  plain = withoutTypefaces(plain)
    .replace(/\\([a-zA-Z]+) ?/g, (command, name: string) => synonyms[name] ?? command)
    .replace(/\^\s*\{\s*\}|\^\s*(?=$|[,)\]}=+-])/g, "") // what was a degree
    .replace(/\\?%|\\?\$/g, "")
    .replace(/\\h(?:line|fill)\b/g, "");
  return plain.replace(/\s+/g, " ").trim();
}

/** `\mathbf{x}` is x. */
function withoutTypefaces(text: string): string {
  for (let opening = typeface.exec(text); opening !== null; opening = typeface.exec(text)) {
    const from = opening.index + opening[0].length;
    const to = endOfGroup(text, from);
    text = `${text.slice(0, opening.index)}{${text.slice(from, to)}}${text.slice(to + 1)}`;
  }
  return text;
}

/** Where the group that is open at `from` is closed; the text's end if it is not. */
export function endOfGroup(text: string, from: number): number {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "\\")
      at++; // an escaped brace is a character of the answer
    else if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at;
  }
  return text.length;
}
