import { describe, expect, it } from "vitest";
import type { Finding, Report } from "../../lib/report/data.js";
import { renderReport } from "../../lib/report/html.js";
import { beamSearch } from "../../lib/strategies/index.js";
import { needle } from "../strategies/problems.js";
import {
  binsFigure,
  budgetFigure,
  flopsFigure,
  frontierFigure,
  hostile,
  point,
  ratioFigure,
  viewOf,
  watch,
} from "./samples.js";

const finding: Finding = {
  claim: "Lookahead is worst.",
  source: "fig. 3",
  verdict: "unclear here",
  evidence: "54.3% [50.1, 58.4]",
};

async function reportOf(overrides: Partial<Report> = {}): Promise<Report> {
  const { recording } = await watch(beamSearch({ n: 8, beamWidth: 2 }), needle(4));
  const figures = [
    budgetFigure({ majority: [point(1, 0.5)] }),
    binsFigure(),
    ratioFigure(),
    frontierFigure(),
    flopsFigure(),
  ];
  return {
    ...{ title: "A report", summary: "What was done.", command: "thinktree reproduce --quick", findings: [finding] },
    facts: [{ name: "Machine", value: "2 cores" }],
    sections: [{ id: "all", title: "All", text: "Everything.", figures, trees: [viewOf(recording)] }],
    ...overrides,
  };
}

describe("renderReport", () => {
  it("asks nothing of the network", async () => {
    const html = renderReport(await reportOf());
    const links = [...html.matchAll(/(?:src|href|action)\s*=\s*"([^"]*)"/g)].map(([, link]) => link!);
    for (const link of links) expect(link).toMatch(/^(?:#|data:)/);
    expect(html).not.toMatch(/@import|url\(|https?:/);
    expect(html).toContain("default-src &#39;none&#39;");
  });

  it("has every figure with its caption, command and data", async () => {
    const report = await reportOf();
    const html = renderReport(report);
    for (const figure of report.sections[0]!.figures) {
      expect(html).toContain(`<a href="#${figure.id}">`);
      expect(html).toContain(`id="${figure.id}"`);
      const [, data] = new RegExp(`download="${figure.id}.json" href="data:application/json;base64,([^"]+)"`).exec(
        html,
      )!;
      expect(JSON.parse(Buffer.from(data!, "base64").toString())).toEqual(figure);
    }
    expect(html.match(/<svg[^>]*class="plot/g)).toHaveLength(5);
    expect(html.match(/thinktree reproduce</g)).toHaveLength(5);
    expect(html).toContain('<td class="number">50.0</td><td class="number">[45.0, 55.0]</td>');
    expect(html).toContain("bin 1, larger model at R = 0.16");
  });

  it("gives each finding its badge, and counts them", async () => {
    const html = renderReport(await reportOf({ findings: [finding, { ...finding, verdict: "not reproduced" }] }));
    expect(html).toContain('<span class="badge unclear-here">unclear here</span> 1');
    expect(html).toContain('<span class="badge not-reproduced">not reproduced</span> 1');
    expect(html).toContain('<span class="badge reproduced">reproduced</span> 0');
    expect(html).toContain("Lookahead is worst.");
  });

  it("escapes every text, and runs one script", async () => {
    const { recording } = await watch(beamSearch({ n: 4, beamWidth: 2 }), [{ text: hostile }]);
    const figure = {
      ...budgetFigure({ [hostile]: [point(1, 0.5)] }),
      title: hostile,
      caption: hostile,
      command: hostile,
      x: hostile,
    };
    const tree = { ...viewOf(recording), title: hostile, caption: hostile, question: hostile, expected: hostile };
    const html = renderReport({
      ...{ title: hostile, summary: hostile, command: hostile, facts: [{ name: hostile, value: hostile }] },
      findings: [{ claim: hostile, source: hostile, verdict: "reproduced", evidence: hostile }],
      sections: [{ id: "a", title: hostile, text: hostile, figures: [figure], trees: [tree] }],
    });
    expect(html.match(/<script/g)).toHaveLength(1);
    expect(html).not.toContain('"><script>');
  });

  it("refuses ids that links could not tell apart", async () => {
    const [section] = (await reportOf()).sections;
    const render = async (id: string) =>
      renderReport(await reportOf({ sections: [section!, { ...section!, id, figures: [], trees: [] }] }));
    await expect(render("budget")).rejects.toThrow("used twice");
    await expect(render("a b")).rejects.toThrow("letters, digits, dashes");
    await expect(render("more")).resolves.toContain('href="#more"');
  });

  it("is a page without findings, figures or searches too", async () => {
    expect(renderReport(await reportOf({ findings: [], sections: [] }))).not.toContain('id="findings"');
  });
});
