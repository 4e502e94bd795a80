/**
 * The embedded models on llama.cpp's own servers.
 *
 * Owns: how they are asked there. Must not know: what for.
 */
import { join } from "node:path";

import type { GeneratorRecipe, RemoteOptions, StepRule, VerifierRecipe } from "thinktree";

import { ServerProcess } from "../replay/server-process.js";
import { root } from "./folders.js";

export const tinyGenerator = join(root, "models", "tiny-generator.gguf");
export const tinyVerifier = join(root, "models", "tiny-prm.gguf");

/** As the files say of themselves, which a server does not pass on. */
export const tinyRecipe: GeneratorRecipe = { name: "tiny", prompt: "Q: {question}\n", answerPrefix: "A: " };
const verifierRecipe: VerifierRecipe = {
  ...{ name: "tiny-prm", prompt: "Q: {question}\n", next: "{step}<step>", words: "own", aggregation: "last" },
  read: { pair: ["+", "-"] },
};

/** With one thread: two would wait for each other longer than such a model takes. */
export function startTiny(model: string, slots: number): Promise<ServerProcess> {
  return ServerProcess.start({ model, slots, cells: 1024 * slots, unified: true, flash: false, threads: 1 });
}

export class TinyServers {
  static async start(slots: number): Promise<TinyServers> {
    return new TinyServers(await startTiny(tinyGenerator, slots), await startTiny(tinyVerifier, slots));
  }

  private constructor(
    readonly generator: ServerProcess,
    readonly verifier: ServerProcess,
  ) {}

  options(steps?: StepRule): RemoteOptions {
    return {
      generator: { url: this.generator.url, recipe: tinyRecipe, ...(steps && { steps }) },
      verifier: { url: this.verifier.url, recipe: verifierRecipe },
    };
  }

  async kill(): Promise<void> {
    await Promise.all([this.generator.kill(), this.verifier.kill()]);
  }
}
