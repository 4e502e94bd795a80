/** The Electron example's window, in a Chromium, with a bridge to nobody. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from "vitest";

import type { Outcome, Progress } from "../../examples/electron/contract.js";
import { findChromium, Page } from "../support/browser.js";
import { compileExample } from "../support/electron/example.js";

/** What the preload script would put there. The test answers. */
const bridge = `
  const calls = [];
  window.thinktree = {
    ask: (question) => (calls.push(["ask", question]), new Promise((resolve) => (window.answer = resolve))),
    cancel: () => calls.push(["cancel"]),
    onProgress: (listener) => (window.tell = listener, () => undefined),
  };
  window.calls = calls;
`;
const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

const steps = [
  { text: "4*6=24", score: 0.93 },
  { text: "<b>24-5=19</b>", score: null },
];
const cost = { tokens: 1234, milliseconds: 2345 };
const progress: Progress = { ...{ round: 2, live: 3, finished: 1, answer: "19", steps, cost } };
const answer: Outcome = { kind: "answer", answer: "19", steps, votes: [3, 4], early: true, cost };

const chromium = findChromium();
const title = "the Electron example's window" + (chromium === undefined ? " (no Chromium on the PATH)" : "");

describe.skipIf(chromium === undefined)(title, () => {
  let folder: string;
  const server = createServer(({ url }, response) => {
    const path = url === "/bridge.js" ? undefined : join(folder, url!);
    try {
      const text = path === undefined ? bridge : readFileSync(path, "utf8");
      const script = `<script src="/bridge.js"></script><script type="module"`;
      response.setHeader("content-type", types[extname(url!)] ?? "text/plain");
      response.end(text.replace(`<script type="module"`, script));
    } catch {
      response.writeHead(404).end();
    }
  });
  let page: Page;
  beforeAll(async () => {
    folder = compileExample("electron-page");
    await once(server.listen(0, "127.0.0.1"), "listening");
  });
  afterAll(() => server.close());
  beforeEach(async () => {
    page = await Page.open(chromium!, `http://127.0.0.1:${(server.address() as AddressInfo).port}/page/index.html`);
  });
  afterEach(() => page[Symbol.asyncDispose]());

  const text = (id: string) => page.evaluate<string>(`document.getElementById("${id}").textContent`);
  const call = (name: string, value: unknown) => page.evaluate(`${name}(${JSON.stringify(value)}), null`);
  const focused = () => page.evaluate<string>("document.activeElement.id");
  const isHidden = (id: string) => page.evaluate<boolean>(`document.getElementById("${id}").hidden`);

  test("asks, shows a search while it goes on, then its answer", async () => {
    expect(await focused()).toBe("question");
    await page.evaluate(`document.getElementById("question").value = "2*(3+4)?"`);
    await page.press("Enter");
    expect(await page.evaluate("calls")).toEqual([["ask", "2*(3+4)?"]]);
    expect(await focused()).toBe("cancel");
    await page.evaluate(`document.getElementById("form").requestSubmit()`); // as Enter does, once more
    expect(await page.evaluate("calls.length")).toBe(1);

    await call("tell", progress);
    expect(await text("state")).toBe("Round 2: 3 branches growing, 1 solution");
    expect(await text("answer")).toBe("19?");
    expect(await text("cost")).toBe("1,234 tokens generated in 2.3 s");
    const items = `[...document.querySelectorAll("#steps li")].map((item) => item.textContent)`;
    expect(await page.evaluate(items)).toEqual(["4*6=240.93", "<b>24-5=19</b>"]); // what a model writes is text

    await call("answer", answer);
    await page.until(`document.getElementById("cancel").disabled`);
    expect(await text("answer")).toBe("19");
    expect(await text("state")).toBe("The budget is spent: the best answer so far. 3 of 4 solutions say so.");
    expect(await focused()).toBe("question");
    await call("tell", { ...progress, answer: "7" }); // late
    expect(await text("answer")).toBe("19");
    expect(page.complaints).toEqual([]);
  });

  test("cancels, and says what went wrong", async () => {
    await page.press("Enter");
    await page.press("Enter"); // on the button that has the focus
    expect(await page.evaluate("calls.at(-1)")).toEqual(["cancel"]);
    await call("answer", { kind: "cancelled" } satisfies Outcome);
    await page.until(`document.getElementById("state").textContent === "Cancelled."`);

    await page.press("Enter");
    await call("answer", { kind: "problem", message: "The engine has stopped." } satisfies Outcome);
    await page.until(`!document.getElementById("problem").hidden`);
    expect(await text("problem")).toBe("The engine has stopped.");
    expect(await isHidden("found")).toBe(true);
    await page.press("Enter");
    expect(await isHidden("problem")).toBe(true);
  });

  test("is dark where the reader prefers it, and never wider than its window", async () => {
    const paper = () => page.evaluate<string>("getComputedStyle(document.body).backgroundColor");
    await page.prefer({ "prefers-color-scheme": "light" });
    expect(await paper()).toBe("rgb(255, 255, 255)");
    await page.prefer({ "prefers-color-scheme": "dark" });
    expect(await paper()).toBe("rgb(20, 23, 27)");
    await page.resize(360, 600);
    await page.press("Enter");
    await call("tell", { ...progress, answer: "9".repeat(200) });
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
  });

  test("runs no script but its own, and loads nothing from elsewhere", async () => {
    const inject = `(() => {
      const script = document.createElement("script");
      script.textContent = "window.injected = true";
      document.body.append(script, Object.assign(new Image(), { src: "http://127.0.0.1:9/pixel.png" }));
      return fetch("/page/index.html").then(() => "fetched", () => "refused");
    })()`;
    expect(await page.evaluate(inject)).toBe("refused");
    expect(await page.evaluate("window.injected === undefined")).toBe(true);
    expect(page.complaints.join()).toContain("Content Security Policy");
  });
});
