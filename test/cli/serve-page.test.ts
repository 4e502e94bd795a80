/** The page of `thinktree serve` in a real browser, over real models. */
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { examples } from "../../lib/page/ask-page.js";
import { findChromium, Page } from "../support/browser.js";
import { answered, askWith, choose, focused, textOf } from "./ask-page.js";
import { easy, ended, long, modelFlags, start, unlessModels } from "./thinktree.js";

const chromium = findChromium();
const timeout = 120_000;

describe.skipIf(chromium === undefined || unlessModels.skip)(
  "the page (needs models/ and a Chromium on the PATH)",
  () => {
    let child: ReturnType<typeof start>;
    let end: ReturnType<typeof ended>;
    let url: string;
    beforeAll(async () => {
      child = start([
        "serve",
        "--port",
        "0",
        "--max-n",
        "4096",
        "--total-n",
        "4096",
        "--log-level",
        "silent",
        ...modelFlags,
      ]);
      end = ended(child);
      const [line] = (await once(child.stdout, "data")) as [Buffer];
      url = `${/http:\/\/\S+/.exec(line.toString())![0]}/`;
    });
    afterAll(async () => {
      child.kill("SIGTERM");
      expect(await end).toMatchObject({ code: 0, stderr: "" });
    });

    /** Searches, branches and cells that the engine holds, by its own figures. */
    async function held(): Promise<number> {
      const text = await (await fetch(`${url}metrics`)).text();
      const names = ["engine_searches", "engine_branches", "engine_kv_cells", "engine_verifier_kv_cells"];
      return names
        .map((name) => Number(new RegExp(`^thinktree_${name} (\\S+)$`, "m").exec(text)![1]))
        .reduce((sum, value) => sum + value);
    }

    it(
      "answers what is typed, by the keyboard alone; asks nobody else, and breaks no policy",
      { timeout },
      async () => {
        await using page = await Page.open(chromium!, url);
        expect(await focused(page)).toBe("question");
        await page.press("Enter"); // nothing to ask
        expect(await page.evaluate(`document.querySelector("#result").hidden`)).toBe(true);
        await page.type(easy);
        await page.press("Enter");
        await page.until(answered);
        expect(await textOf(page, "#answer")).toBe("19");
        expect(await textOf(page, "#state")).toMatch(/^\d+ of \d+ solutions? says? so\.$/);
        expect(await textOf(page, "#why")).toMatch(/^Difficulty 0\.\d\d of 1, the policy's bin \d.* Ran /);
        expect(await textOf(page, "#solution li:last-child")).toMatch(/^A: 19score [01]\.\d\d$/);
        for (const name of ["Generated", "Prefilled", "Verifier"]) {
          expect(await textOf(page, `[data-cost="${name}"]`)).toMatch(/^[1-9][\d,]* tokens$/);
        }
        expect(await textOf(page, `[data-cost="Time"]`)).toMatch(/^\d+(\.\d)? m?s$/);

        // From the field through the form into the tree, and there from step to step.
        await page.until(`document.querySelector(".step.chosen")`);
        for (let presses = 0; (await focused(page)) !== "step-q" && presses < 20; presses++) await page.press("Tab");
        expect(await focused(page)).toBe("step-q");
        for (const key of ["ArrowRight", "ArrowRight", "ArrowDown"]) await page.press(key);
        expect(await textOf(page, ".tree-details .note")).toMatch(/^round 1 · score 0\.\d+ · \d+ tokens/);
        expect(await page.evaluate<string>(`document.activeElement.getAttribute("aria-label")`)).toContain("24-5=19");

        const origin = new URL(url).origin;
        expect(page.requests.filter((address) => !address.startsWith("data:")).length).toBeGreaterThan(5);
        expect(
          page.requests.filter((address) => !address.startsWith("data:") && !address.startsWith(`${origin}/`)),
        ).toEqual([]);
        expect(page.complaints).toEqual([]);
      },
    );

    it("shows the whole tree in the end, and the way to the answer in it", { timeout }, async () => {
      await using page = await Page.open(chromium!, url);
      await choose(page, "beam", 64);
      await askWith(page, long);
      await page.until(`${answered} && document.querySelector(".step.chosen")`);
      expect(await page.evaluate<number>(`document.querySelectorAll(".step.pruned").length`)).toBeGreaterThan(0);
      const way = `[...document.querySelectorAll(".step.chosen")].map((step) => step.dataset.text.trim())`;
      const solution = `[...document.querySelectorAll("#solution li")].map((step) => step.childNodes[1].textContent)`;
      expect(await page.evaluate(way)).toEqual(await page.evaluate(solution));

      // The reader goes back to the first round, and another search begins its tree anew.
      await page.evaluate(`document.querySelector(".tree input").value = 1;
        document.querySelector(".tree input").dispatchEvent(new Event("input")); 0`);
      expect(await textOf(page, ".tree-status")).toMatch(/^Round 1 of \d+: 64 steps written/);
      await page.evaluate(`document.querySelector("#question").focus()`);
      await choose(page, "beam", 4);
      await askWith(page, easy);
      await page.until(
        `document.querySelector("#answer").textContent === "19" && document.querySelector(".step.chosen")`,
      );
      expect(await textOf(page, ".tree-status")).toMatch(/^Round (\d+) of \1: /);
      expect(await page.evaluate<number>(`document.querySelectorAll(".tree .step").length`)).toBeLessThan(30);
      expect(page.complaints).toEqual([]);
    });

    it("stops at once with Escape or the button, and the engine holds nothing", { timeout }, async () => {
      await using page = await Page.open(chromium!, url);
      // More than the page offers: nobody could stop what these models need for 256.
      await page.evaluate(`document.querySelector("#generations").add(new Option("most", "4096")); 0`);
      await choose(page, "beam", 4096);
      for (const stop of [() => page.press("Escape"), () => page.evaluate(`document.querySelector("#go").click()`)]) {
        await askWith(page, long);
        await page.until(`document.querySelectorAll(".tree .step").length > 1`);
        expect(await textOf(page, "#go")).toBe("Stop");
        await stop();
        await page.until(`document.querySelector("#state").textContent === "Stopped."`);
        expect([await textOf(page, "#go"), await textOf(page, "#answer")]).toEqual(["Ask", ""]);
        for (let left = 100; left > 0 && (await held()) > 0; left--) await setTimeout(50);
        expect(await held()).toBe(0);
      }
      // Counted when the engine is free of it already.
      const cancelled = async () =>
        /^thinktree_searches_total\{outcome="cancelled"\} (\d+)$/m.exec(
          await (await fetch(`${url}metrics`)).text(),
        )?.[1];
      await expect.poll(cancelled, { timeout: 10_000 }).toBe("2");
      expect(page.complaints).toEqual([]);
    });

    it("is light and dark, still for who wants it so, and fits a narrow window", { timeout }, async () => {
      await using page = await Page.open(chromium!, url);
      const paper = () => page.evaluate<string>(`getComputedStyle(document.body).backgroundColor`);
      await page.prefer({ "prefers-color-scheme": "light", "prefers-reduced-motion": "no-preference" });
      await page.resize(360, 640);
      await page.evaluate(`document.querySelector("#examples button").click()`);
      expect(await focused(page)).toBe("question");
      await page.press("Enter");
      await page.until(`${answered} && document.querySelector(".step.chosen")`);
      const wide = `Math.max(...[...document.querySelectorAll("body *:not(.scroll *)")].map((part) => part.getBoundingClientRect().right))`;
      expect(await page.evaluate<number>(wide)).toBeLessThanOrEqual(360);
      expect(await page.evaluate<number>(`document.documentElement.scrollWidth - innerWidth`)).toBeLessThanOrEqual(0);
      expect(await paper()).toBe("rgb(255, 255, 255)");
      const motion = `getComputedStyle(document.querySelector(".step.chosen")).animationName`;
      expect(await page.evaluate(motion)).toBe("come");
      await page.prefer({ "prefers-color-scheme": "dark", "prefers-reduced-motion": "reduce" });
      expect(await paper()).toBe("rgb(20, 23, 27)");
      expect(await page.evaluate(motion)).toBe("none");
    });

    it("has examples that the embedded models answer", { timeout }, async () => {
      const answers = await Promise.all(
        examples.map(async (content) => {
          const body = JSON.stringify({ model: "thinktree", seed: 1, messages: [{ role: "user", content }] });
          const headers = { "content-type": "application/json" };
          const response = await fetch(`${url}v1/chat/completions`, { method: "POST", headers, body });
          return ((await response.json()) as { thinktree: { answer: string } }).thinktree.answer;
        }),
      );
      expect(answers).toEqual(["12", "40"]);
    });
  },
);
