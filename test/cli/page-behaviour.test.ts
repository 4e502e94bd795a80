/** The page in a real browser, over searches that do what a test says: step by step, or wrong. */
import { describe, expect, it } from "vitest";
import { beamSearch, type RoundReport, type Strategy } from "../../lib/strategies/index.js";
import { answerOf as read, needle } from "../strategies/problems.js";
import { findChromium, Page } from "../support/browser.js";
import { closeServersAfterEach, serverOf } from "../support/scripted-server.js";
import { answerOf, ScriptedEngine, type Search } from "../support/search-engine.js";
import { ToyTree } from "../support/toy-tree.js";
import { answered, askWith, focused, textOf } from "./ask-page.js";

const chromium = findChromium();
const timeout = 120_000;

closeServersAfterEach();

describe.skipIf(chromium === undefined)(
  "the page, step by step and where something goes wrong (needs a Chromium on the PATH)",
  () => {
    const problem = `document.querySelector("#problem").textContent`;

    it("asks for a key, keeps it for the session, and says when it is wrong", { timeout }, async () => {
      const engine = new ScriptedEngine();
      const server = await serverOf(engine, { apiKeys: ["0123456789abcdef"] });
      const url = await server.listen("127.0.0.1", 0);
      await using page = await Page.open(chromium!, url);
      await askWith(page, "2+2?");
      await page.until(problem);
      expect(await textOf(page, "#problem")).toMatch(/API key: enter one/);
      expect(await focused(page)).toBe("key");
      await page.type("0123456789abcdef");
      await page.press("Enter");
      (await engine.until(1))[0]!.end();
      await page.until(answered);
      expect(await textOf(page, "#problem")).toBe("");
      await page.evaluate(`location.reload()`);
      await page.until(`document.querySelector("#key")?.value === "0123456789abcdef"`);
      expect(await page.evaluate(`JSON.stringify([localStorage.length, document.cookie])`)).toBe(`[0,""]`);
    });

    it("says that the queue is full and when to ask again, and then answers", { timeout }, async () => {
      const engine = new ScriptedEngine();
      const server = await serverOf(engine, { searches: 1, queue: 0 });
      const url = await server.listen("127.0.0.1", 0);
      await using page = await Page.open(chromium!, url);
      const first = fetch(`${url}/v1/chat/completions`, {
        ...{ method: "POST", headers: { "content-type": "application/json" } },
        body: JSON.stringify({ model: "thinktree", messages: [{ role: "user", content: "2+2?" }] }),
      });
      await engine.until(1);
      await askWith(page, "2+2?");
      await page.until(problem);
      expect(await textOf(page, "#problem")).toMatch(/^Too many searches are waiting\. Ask again in \d+ seconds?\.$/);
      engine.searches[0]!.end();
      await first;
      await page.press("Enter");
      (await engine.until(1))[0]!.end();
      await page.until(answered);
    });

    it("says that a search waited too long", { timeout }, async () => {
      const engine = new ScriptedEngine();
      const server = await serverOf(engine, { searches: 1, queueMs: 50 });
      const url = await server.listen("127.0.0.1", 0);
      await using page = await Page.open(chromium!, url);
      await using other = await Page.open(chromium!, url);
      await askWith(other, "2+2?");
      await engine.until(1);
      await askWith(page, "2+2?");
      await page.until(problem);
      expect(await textOf(page, "#problem")).toMatch(/^The server is busy, .* Ask again in \d+ seconds?\.$/);
    });

    it("says that the engine has failed, and that the server has gone", { timeout }, async () => {
      const engine = new ScriptedEngine();
      const server = await serverOf(engine, { patienceMs: 20 });
      const url = await server.listen("127.0.0.1", 0);
      await using page = await Page.open(chromium!, url);
      await askWith(page, "2+2?");
      (await engine.until(1))[0]!.fail(new Error("nobody shall read this"));
      await page.until(problem);
      expect(await textOf(page, "#problem")).toMatch(/^The server failed: the server met an unexpected error/);
      await server.close();
      await page.press("Enter");
      await page.until(`${problem}.includes("connection")`);
      expect(await textOf(page, "#problem")).toMatch(
        /^The connection to the server was lost\. Check that it is running/,
      );
      expect(await textOf(page, "#go")).toBe("Ask");
    });

    it("shows the tree while it grows, and leaves its reader's place alone", { timeout }, async () => {
      const engine = new ScriptedEngine();
      const server = await serverOf(engine);
      await using page = await Page.open(chromium!, await server.listen("127.0.0.1", 0));
      await askWith(page, "2+2?");
      const [search] = (await engine.until(1)) as [Search];
      const tree = new GatedTree(needle(3), { seed: 5 });
      const end = searchOn(tree, search, beamSearch({ n: 8, beamWidth: 2 }));
      const boxes = `document.querySelectorAll(".tree .step:not(.question)").length`;
      const good = `document.querySelector(".step[data-note*='score 0.9']")`;

      expect(await textOf(page, "#state")).toBe("Searching…");
      tree.open();
      await page.until(`document.querySelector(".step.pruned")`);
      const first = await page.evaluate<number>(boxes);
      expect(await page.evaluate<string>(`${good}.querySelector(".chip").getAttribute("class")`)).toBe("chip level-6");
      expect(await textOf(page, "#progress")).toMatch(
        /^Round 1, 8 branches growing, 0 whole solutions, best score 0.90$/,
      );
      expect(await textOf(page, `[data-cost="Generated"]`)).toBe("40 tokens");
      await page.evaluate(`window.place = ${good}; place.focus(); 0`);

      tree.open();
      await page.until(`${boxes} > ${first}`);
      expect(await page.evaluate(`document.activeElement === place && place.classList.contains("told")`)).toBe(true);
      await page.until(
        `document.querySelector(".tree-status").textContent.startsWith("Round 2 of 2: 16 steps written")`,
      );
      await page.evaluate(`document.querySelector("[data-go='-1']").click()`); // and back to the first round
      expect([await textOf(page, "#answer"), await textOf(page, "#go")]).toEqual(["", "Stop"]);
      expect(await page.evaluate<number>(`document.querySelectorAll(".step.chosen").length`)).toBe(0);

      for (let round = 3; round <= 4; round++) tree.open();
      await end;
      await page.until(`${answered} && document.querySelectorAll(".step.chosen").length === 4`);
      expect(await textOf(page, ".tree-status")).toMatch(/^Round 1 of 4: 8 steps written/);
      expect(page.complaints).toEqual([]);
    });

    it("draws a search of 256 branches and 20 rounds, and can be used meanwhile", { timeout }, async () => {
      const engine = new ScriptedEngine();
      const server = await serverOf(engine);
      const url = await server.listen("127.0.0.1", 0);
      await using page = await Page.open(chromium!, url);
      await askWith(page, "2+2?");
      const [search] = (await engine.until(1)) as [Search];
      const tree = new GatedTree(needle(19), { noise: 0.3 });
      for (let round = 1; round < 20; round++) tree.open();
      const end = searchOn(tree, search, beamSearch({ n: 256, beamWidth: 4 }));
      await page.until(`document.querySelector(".tree .step:not(.question)")`);
      await page.type("And");
      expect(await page.evaluate<string>(`document.querySelector("#question").value`)).toContain("And");
      tree.open();
      await end;
      await page.until(`${answered} && document.querySelector(".step.chosen")`);
      expect(await textOf(page, ".tree-status")).toMatch(
        /^Round 20 of 20: 5120 steps written, \d+ pruned, 256 solutions$/,
      );
      expect(await page.evaluate<number>(`document.querySelectorAll(".step.chosen").length`)).toBe(20);
      expect(await page.evaluate<number>(`document.querySelectorAll(".tree .step").length`)).toBeLessThan(4_000);
      expect(page.complaints).toEqual([]);
    });
  },
);

/** Writes a step of its branches each time that it is opened. */
class GatedTree extends ToyTree {
  private tickets = 0;
  private enter: () => void = () => undefined;

  open(): void {
    this.tickets++;
    this.enter();
  }

  override async extend(...args: Parameters<ToyTree["extend"]>): Promise<void> {
    while (this.tickets === 0) await new Promise<void>((resolve) => (this.enter = resolve));
    this.tickets--;
    await super.extend(...args);
  }
}

/** Searches as the engine would, and answers with the first solution. */
async function searchOn(tree: ToyTree, { options, end }: Search, strategy: Strategy): Promise<void> {
  const { ledger } = answerOf();
  const onRound = (round: RoundReport) => options.onProgress!({ ...round, ledger });
  const solutions = await options.watch!(strategy).explore(tree, { answerOf: read, onRound });
  const { text, steps } = solutions[0]!;
  end({ ...answerOf([text]), steps });
}
