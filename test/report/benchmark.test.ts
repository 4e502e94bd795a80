import { describe, expect, it } from "vitest";
import { resultOf } from "../../lib/benchmark/results.js";
import { benchmarkFacts, benchmarkNotes } from "../../lib/report/benchmark-facts.js";
import { benchmarkFigures } from "../../lib/report/benchmark-figures.js";
import { benchmarkPage } from "../../lib/report/benchmark-page.js";
import { benchmarkSvg } from "../../lib/report/benchmark-svg.js";
import { round, sample, settings } from "../benchmark/sample.js";
import { elements, marks, parseMarkup } from "./markup.js";
import { hostile } from "./samples.js";

const named = sample();
const bad = sample({
  thinktree: hostile,
  machine: { ...named.machine, cpu: hostile },
  models: { generator: { ...named.models.generator, file: hostile }, verifier: null },
});

describe("benchmarkFigures", () => {
  it.each([
    ["several numbers of branches", named],
    ["one", sample({ results: [resultOf(7, settings, [round(7, 3)])] })],
  ])("%s: a point and a range for each, and their numbers in words", (_, found) => {
    for (const { picture } of benchmarkFigures(found)) {
      const drawn = parseMarkup(picture.html);
      expect(marks(drawn, "point")).toHaveLength(found.results.length);
      const titles = elements(drawn).filter(({ name }) => name === "title");
      expect(titles.map(({ children }) => children[0])).toEqual(
        found.results.map(({ branches }) => expect.stringMatching(`^${branches} branch`) as string),
      );
      for (const { attributes } of elements(drawn)) {
        expect(Object.values(attributes).join(" ")).not.toMatch(/NaN|undefined/);
      }
    }
  });

  it("puts p50 and p99 where the numbers say, from zero", () => {
    const [, latency] = benchmarkFigures(named);
    const drawn = parseMarkup(latency!.picture.html);
    const [range] = marks(drawn, "range");
    const [first] = named.results;
    const length = Math.abs(Number(range!.attributes["y1"]) - Number(range!.attributes["y2"]));
    const scale = length / (first!.stepMs.p99 - first!.stepMs.p50);
    const inner = latency!.picture.height - 24 - 48;
    expect(scale * first!.stepMs.p99 * 1.05).toBeCloseTo(inner, 0);
  });
});

describe("benchmarkSvg", () => {
  it("is one well-formed document that loads nothing", () => {
    const svg = benchmarkSvg(named);
    const [root] = elements(parseMarkup(svg));
    expect(root!.attributes["xmlns"]).toBe("http://www.w3.org/2000/svg");
    expect(marks(root!, "point")).toHaveLength(2 * named.results.length);
    expect(svg.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/@import|url\(|https?:|<script|href/);
    expect(svg).toContain("prefers-color-scheme: dark");
    expect(svg).toContain("Generator: g.gguf");
  });

  it("escapes every text", () => {
    expect(elements(parseMarkup(benchmarkSvg(bad))).map(({ name }) => name)).not.toContain("script");
  });
});

describe("benchmarkPage", () => {
  it("holds the figures, the numbers and the data, and asks nothing of the network", () => {
    const html = benchmarkPage(named);
    for (const [, link] of html.matchAll(/(?:src|href|action)\s*=\s*"([^"]*)"/g)) expect(link).toMatch(/^data:/);
    expect(html).not.toMatch(/@import|url\(|https?:|<script/);
    expect(html.match(/<svg/g)).toHaveLength(2);
    expect(html).toContain('<td class="number">25.0%</td>');
    const [, data] = /download="thinktree-bench.json" href="data:application\/json;base64,([^"]+)"/.exec(html)!;
    expect(JSON.parse(Buffer.from(data!, "base64").toString())).toEqual(named);
  });

  it("escapes every text", () => {
    expect(benchmarkPage(bad)).not.toContain("<script");
  });
});

it("says what the figures depend on, and what they could be mistaken for", () => {
  const facts = new Map(benchmarkFacts(named).map(({ name, value }) => [name, value]));
  expect(facts.get("generator")).toBe("g.gguf, 1.00 MiB, 0.743 M parameters");
  expect(facts.get("work")).toBe("512 tokens of prompt, 16 a branch in steps of 8, 2 rounds");
  expect(benchmarkFacts(bad).find(({ name }) => name === "verifier")?.value).toBe("none");
  expect(benchmarkNotes(named)).toEqual([]);
  const short = resultOf(16, settings, [round(16, 3, { tokens: 254, recomputedTokens: 12 })]);
  const machine = { ...named.machine, busyShare: 0.5 };
  expect(benchmarkNotes(sample({ machine, results: [short] }))).toEqual([
    "When it began: others use 50% of the machine; the figures will be off.",
    "The model drew its end token now and then: 0.8% of the tokens were not written.",
    "12 tokens were computed again, for the cache was short: give it more cells.",
  ]);
});
