import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { benchmarkPage } from "../../lib/report/benchmark-page.js";
import { benchmarkSvg } from "../../lib/report/benchmark-svg.js";
import { renderReport } from "../../lib/report/html.js";
import { beamSearch } from "../../lib/strategies/index.js";
import { sample } from "../benchmark/sample.js";
import { needle } from "../strategies/problems.js";
import { findChromium, Page } from "../support/browser.js";
import { binsFigure, flopsFigure, frontierFigure, hostile, viewOf, watch } from "./samples.js";

const chromium = findChromium();
const title = chromium === undefined ? "a report in a browser (no Chromium on the PATH)" : "a report in a browser";

describe.skipIf(chromium === undefined)(title, () => {
  it(
    "asks for nothing, complains of nothing, and goes through a search round by round",
    { timeout: 60_000 },
    async () => {
      const { recording } = await watch(beamSearch({ n: 8, beamWidth: 2 }), needle(3), { noise: 0.1 });
      const html = renderReport({
        ...{ title: hostile, summary: hostile, command: hostile, facts: [], findings: [] },
        sections: [
          {
            ...{ id: "all", title: "All", text: "Everything." },
            figures: [binsFigure(), frontierFigure(), flopsFigure()],
            trees: [viewOf(recording), { ...viewOf(recording, "hostile"), question: hostile }],
          },
        ],
      });
      const folder = mkdtempSync(join(tmpdir(), "thinktree-report-"));
      const file = join(folder, "report.html");
      writeFileSync(file, html);
      const url = pathToFileURL(file).href;
      try {
        await using page = await Page.open(chromium!, url);
        const status = () => page.evaluate<string>(`document.querySelector(".tree-status").textContent`);
        const click = (label: string) =>
          page.evaluate(`document.querySelector("[aria-label='${label} round']").click()`);
        const seen = () =>
          page.evaluate<number>(
            `[...document.querySelectorAll("#tree .step[data-round]")].filter((box) => getComputedStyle(box).visibility === "visible").length`,
          );
        const [rounds, whole] = [recording.rounds, await seen()];
        expect(rounds).toBe(4);
        expect(await status()).toMatch(/^Round 4 of 4: 32 steps written, \d+ pruned, 8 solutions$/);

        for (let round = 3; round >= 1; round--) await click("Previous");
        expect(await status()).toMatch(/^Round 1 of 4: 8 steps written, [4-7] pruned, 0 solutions$/);
        expect(await seen()).toBeLessThan(whole);
        await click("Previous"); // there is none
        expect(await status()).toMatch(/^Round 1 of 4/);
        await click("Next");
        expect(await status()).toMatch(/^Round 2 of 4: 16 steps/);

        await page.evaluate(`document.querySelector("#tree input").focus()`);
        await page.evaluate(`document.querySelector("#tree-q").focus()`);
        const note = () => page.evaluate<string>(`document.querySelector(".tree-details").textContent.trim()`);
        expect(await note()).toContain("Which is right?");
        await page.press("ArrowRight");
        expect(await note()).toMatch(/^round 1 · score 0\.\d+ · 1 token/);
        await page.press("ArrowRight");
        await page.press("ArrowDown");
        expect(await note()).toMatch(/^round 2 · /);
        const stops = `document.querySelectorAll("#tree .step[tabindex='0']").length`;
        expect(await page.evaluate<number>(stops)).toBe(1);

        expect(await page.evaluate<number>(`document.documentElement.scrollWidth - innerWidth`)).toBeLessThanOrEqual(0);
        expect(page.requests.filter((address) => !address.startsWith("data:"))).toEqual([url]);
        expect(page.complaints).toEqual([]);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    },
  );
});

describe.skipIf(chromium === undefined)(title.replace("a report", "a benchmark"), () => {
  it.each([
    ["page.html", benchmarkPage(sample())],
    ["plot.svg", benchmarkSvg(sample())],
  ])("%s asks for nothing and complains of nothing", { timeout: 60_000 }, async (name, text) => {
    const folder = mkdtempSync(join(tmpdir(), "thinktree-benchmark-"));
    const file = join(folder, name);
    writeFileSync(file, text);
    try {
      await using page = await Page.open(chromium!, pathToFileURL(file).href);
      const points = `document.querySelectorAll("[aria-description=point] circle, circle[aria-description=point]").length`;
      expect(await page.evaluate<number>(points)).toBe(4);
      expect(page.requests.filter((address) => !address.startsWith("data:"))).toHaveLength(1);
      expect(page.complaints).toEqual([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
