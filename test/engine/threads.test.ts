/** How many threads of the system an engine has. */
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";

import { EngineCore } from "../../lib/engine/engine-core.js";
import { embeddedModels } from "../support/models.js";

const models = embeddedModels();
const [generator, verifier] = [models?.generator ?? "", models?.verifier ?? ""];

// Workers spin for a while after their work: those of one model would take the processors from the other's.
test.skipIf(process.platform !== "linux" || models === undefined)(
  "its models compute with the same threads",
  async () => {
    const threads = () => readdirSync("/proc/self/task").length;
    const ofOne = async (options: Parameters<typeof EngineCore.load>[0]) => {
      const before = threads();
      await using core = await EngineCore.load({ ...options, threads: 9 });
      expect(core.models.generator.parameters).toBeGreaterThan(0);
      return threads() - before;
    };
    await ofOne({ generator, verifier: null }); // what a first engine starts once for all
    const alone = await ofOne({ generator, verifier: null });
    expect(alone).toBeGreaterThanOrEqual(8);
    expect(await ofOne({ generator, verifier })).toBe(alone);
  },
);
