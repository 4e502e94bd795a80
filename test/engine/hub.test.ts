/** Models of the hub are loaded as files are, whole or not at all. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Engine } from "../../lib/index.js";
import { Hub } from "../support/hub.js";
import { embeddedModels } from "../support/models.js";

const models = embeddedModels();
let cacheFolder: string;
beforeEach(() => (cacheFolder = mkdtempSync(join(tmpdir(), "thinktree-hub-"))));
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cacheFolder, { recursive: true, force: true });
});

describe("models of the hub", { skip: models === undefined }, () => {
  it("are loaded as generator, verifier and draft, and the next time without a network", async () => {
    const files = { "g.gguf": readFileSync(models!.generator), "v.gguf": readFileSync(models!.verifier) };
    const hub = await Hub.serve(files);
    vi.stubEnv("HF_ENDPOINT", hub.endpoint);
    const [generator, verifier] = ["hf:ann/tiny/g.gguf", "hf:ann/tiny/v.gguf"];
    for (const draft of [generator, { path: generator, tokens: 2 }]) {
      await using engine = await Engine.load({ generator: { path: generator }, verifier, draft, cacheFolder });
      const { candidates } = await engine.solve("Ann has 3 pens. How many pens has Ann?", { budget: 1 });
      expect(candidates[0]?.score).not.toBeNull();
      await hub[Symbol.asyncDispose]();
    }
  });

  it("are not loaded damaged", async () => {
    await using hub = await Hub.serve({ "g.gguf": readFileSync(models!.generator) });
    vi.stubEnv("HF_ENDPOINT", hub.endpoint);
    hub.corrupt = true;
    await expect(Engine.load({ generator: "hf:ann/tiny", cacheFolder })).rejects.toMatchObject({
      code: "DOWNLOAD_FAILED",
    });
  });

  it("are given up when the signal says so", async () => {
    await using hub = await Hub.serve({ "g.gguf": readFileSync(models!.generator) });
    vi.stubEnv("HF_ENDPOINT", hub.endpoint);
    const loading = Engine.load({ generator: "hf:ann/tiny", cacheFolder, signal: AbortSignal.abort() });
    await expect(loading).rejects.toMatchObject({ code: "CANCELLED" });
  });
});
