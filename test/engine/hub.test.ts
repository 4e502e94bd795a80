/** Models of the hub are loaded as files are, whole or not at all. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { Engine } from "../../lib/index.js";
import { parseGguf } from "../support/gguf-file.js";
import { Hub } from "../support/hub.js";
import { randomLora, writeLora } from "../support/lora.js";
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

  it("may have adapters of the hub", async () => {
    const file = parseGguf(readFileSync(models!.generator));
    const local = join(cacheFolder, "l.gguf");
    writeLora(local, file, randomLora(file, /attn_q/, { rank: 2, alpha: 1, seed: 1 }));
    await using hub = await Hub.serve({ "g.gguf": readFileSync(models!.generator), "l.gguf": readFileSync(local) });
    vi.stubEnv("HF_ENDPOINT", hub.endpoint);
    const adapters = ["hf:ann/tiny/l.gguf", { path: local, scale: 0.5 }, { path: "hf:ann/tiny/l.gguf", scale: 2 }];
    const path = "hf:ann/tiny/g.gguf";
    await using engine = await Engine.load({ generator: { path, adapters }, verifier: null, cacheFolder });
    await using plain = await Engine.load({ generator: path, verifier: null, cacheFolder });
    const [{ generator: own }, { generator: base }] = [engine.models, plain.models];
    expect(own.parameters - base.parameters).toBe(3 * 4 * 2 * (128 + 128));
  });

  it("are loaded as a verifier's reference", async () => {
    await using hub = await Hub.serve({ "r.gguf": readFileSync(models!.generator) });
    vi.stubEnv("HF_ENDPOINT", hub.endpoint);
    const recipe = { name: "ratio", prompt: "{question}", read: { ratio: { beta: 1 } }, aggregation: "min" } as const;
    const verifier = { path: models!.verifier, recipe, reference: { path: "hf:ann/tiny/r.gguf" } };
    await using engine = await Engine.load({ generator: models!.generator, verifier, cacheFolder });
    expect(engine.models.reference!.parameters).toBe(engine.models.generator.parameters);
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
