/**
 * Tiny models, with random weights, of architectures that remember a text in special ways: hybrids, sliding windows.
 *
 * Owns: building their maker (test/models/random_model.cpp), running it, which there are. Must not know: what is tested.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** All hybrid architectures that the engine takes, and two with windows, as the maker names them. */
const specialArchitectures = [
  ...["lfm2", "lfm2moe", "jamba", "falcon-h1", "granitehybrid", "nemotron_h", "nemotron_h_moe", "qwen3next"],
  ...["qwen35", "qwen35moe", "kimi-linear", "kimi-k3", "bailingmoe3", "minimax-01", "lfm2 window", "gemma2 window"],
];

const tokenizer = join("models", "tiny-generator.gguf");

/** Takes no time if nothing has changed. */
export function buildModelMaker(): void {
  execFileSync("cmake", ["--build", "build", "--target", "random_model", "--parallel", "2"], { stdio: "pipe" });
}

/** A folder with one file of each, by name, with the embedded generator's vocabulary and recipe. */
export function writeSpecialModels(architectures = specialArchitectures): string {
  const folder = mkdtempSync(join(tmpdir(), "thinktree-special-"));
  for (const architecture of architectures) {
    const file = join(folder, `${architecture}.gguf`);
    execFileSync(join("build", "random_model"), [architecture, tokenizer, file], { stdio: "pipe" });
  }
  return folder;
}
