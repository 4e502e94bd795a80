/**
 * A strict reader of XML-like markup, for tests: throws where a browser would mend.
 *
 * Owns: well-formedness. Must not know: what the markup shows.
 */

export interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: (Element | string)[];
}

const tag = /^<(\/?)([a-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/i;
const reference = /&(?!(?:amp|lt|gt|quot|apos|#39|#\d+);)/;

/** @returns An element whose children are the markup's. @throws Error that quotes the place. */
export function parseMarkup(markup: string): Element {
  const top: Element = { name: "", attributes: {}, children: [] };
  const open = [top];
  let rest = markup;
  while (rest !== "") {
    const text = /^[^<]+/.exec(rest)?.[0];
    const found = tag.exec(rest);
    if (text !== undefined) {
      if (reference.test(text)) throw new Error(`bare ampersand: ${text.slice(0, 80)}`);
      open.at(-1)!.children.push(text);
    } else if (found) {
      const [, end, name, list, empty] = found;
      if (reference.test(list!)) throw new Error(`bare ampersand: ${found[0]}`);
      if (end) {
        if (open.length === 1 || open.pop()!.name !== name) throw new Error(`${found[0]} closes nothing`);
      } else {
        const pairs = [...list!.matchAll(/([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [key!, value!] as const);
        const keys = new Set(pairs.map(([key]) => key));
        if (keys.size < pairs.length) throw new Error(`attribute twice: ${found[0]}`);
        const element = { name: name!, attributes: Object.fromEntries(pairs), children: [] };
        open.at(-1)!.children.push(element);
        if (!empty) open.push(element);
      }
    } else throw new Error(`not markup: ${rest.slice(0, 80)}`);
    rest = rest.slice(text?.length ?? found![0].length);
  }
  if (open.length > 1) throw new Error(`never closed: ${open.at(-1)!.name}`);
  return top;
}

/** Every element below, in order. */
export function elements(top: Element): Element[] {
  return top.children.flatMap((child) => (typeof child === "string" ? [] : [child, ...elements(child)]));
}

/** The marks of a plot that its groups with this label hold. */
export function marks(top: Element, label: string): Element[] {
  return elements(top)
    .filter(({ attributes }) => [attributes["aria-description"], attributes["aria-label"]].includes(label))
    .flatMap((group) =>
      elements(group).filter(({ name }) => ["circle", "line", "path", "rect", "text"].includes(name)),
    );
}
