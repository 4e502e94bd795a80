/** Our addon and node-llama-cpp's, each with its own llama.cpp, in one process on one model at the same time. */
import { existsSync } from "node:fs";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { expect, test } from "vitest";

import { Engine, majorityVote } from "../../lib/index.js";

const modelPath = "models/tiny-generator.gguf";
const question = "Mia has 4 bags with 3 pens each. She gives 5 pens to Max. How many pens does Mia have now?";

// node-llama-cpp's prebuilt addon is installed on Linux x64 only: see "overrides" in package.json.
const missing = [modelPath, "node_modules/@node-llama-cpp/linux-x64/bins"].filter((path) => !existsSync(path));

test.skipIf(missing.length > 0)(`shares a process with node-llama-cpp${missing.map((path) => `: no ${path}`).join("")}`, async () => {
  await using engine = await Engine.load({ generator: modelPath, verifier: null });
  const llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
  const model = await llama.loadModel({ modelPath });
  const context = await model.createContext({ contextSize: 256 });

  const theirs = async () => {
    const tokens = [];
    for await (const token of context.getSequence().evaluate(model.tokenize(question), { temperature: 0 })) {
      tokens.push(token);
      if (tokens.length === 8) break;
    }
    return tokens.length;
  };
  const ours = async () => (await engine.solve(question, { strategy: majorityVote({ n: 4 }), seed: 1 })).text.length;

  const [theirTokens, ourCharacters] = await Promise.all([theirs(), ours()]);
  expect(theirTokens).toBeGreaterThan(0);
  expect(ourCharacters).toBeGreaterThan(0);
  await llama.dispose();
});
