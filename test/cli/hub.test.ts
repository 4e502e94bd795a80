/** Models of the hub on the command line. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterAll, describe, expect, it } from "vitest";

import { Hub } from "../support/hub.js";
import { easy, ended, models, start, thinktree, unlessModels } from "./thinktree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-hub-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const solve = ["solve", easy, "--strategy", "majority", "--n", "1", "--cache-folder", folder, "--generator"];

describe("a model of the hub", unlessModels, () => {
  it("is fetched and asked; Ctrl-C before that says that the same command goes on", async () => {
    await using hub = await Hub.serve({ "g.gguf": readFileSync(models!.generator) });
    const env = { HF_ENDPOINT: hub.endpoint };
    hub.holdAfter = 1;
    const child = start([...solve, "hf:ann/tiny"], env);
    const over = ended(child);
    while (hub.sent === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGINT");
    expect(await over).toMatchObject({
      code: 130,
      stdout: "",
      stderr: expect.stringMatching(/same command goes on/) as string,
    });
    hub.holdAfter = Infinity;
    expect(await thinktree([...solve, "hf:ann/tiny"], { env })).toMatchObject({ code: 0, stderr: "" });
  });

  it("that cannot be had is the caller's mistake, in one line", async () => {
    const env = { HF_ENDPOINT: "http://127.0.0.1:9" };
    const { code, stderr } = await thinktree([...solve, "hf:ann/other:Q8_0"], { env });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^thinktree: cannot fetch hf:ann\/other:Q8_0: .*cannot be reached.*\n$/);
  });
});

describe("how a model is asked", unlessModels, () => {
  it("is told by flags", async () => {
    const model = models!.generator;
    const { code, stderr } = await thinktree([...solve, model, "--system", "Be brief."]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^thinktree: system: .*no place/)]);
    expect(await thinktree([...solve, model, "--generator-recipe", "completion"])).toMatchObject({ stderr: "" });
    const { stdout } = await thinktree([...solve, model, "--steps", "tokens:3", "--json"]);
    const { steps } = JSON.parse(stdout) as { steps: { tokens: number }[] };
    for (const step of steps.slice(0, -1)) expect(step.tokens).toBe(3);
    expect(await thinktree([...solve, model, "--steps", "pattern:a$"])).toMatchObject({
      ...{ code: 2, stderr: expect.stringMatching(/\$ cannot be searched/) as string },
    });
    expect(await thinktree([...solve, model, "--generator-recipe", "maths"])).toMatchObject({
      ...{ code: 2, stderr: expect.stringMatching(/no recipe is called "maths"/) as string },
    });
  });
});
