/** A question, its answer, and the steps to it with the verifier's scores. */
import { Engine } from "thinktree";

const question =
  process.argv[2] ?? "Mia has 4 bags with 6 pens each. She gives 5 pens to Ben. How many pens does Mia have now?";

await using engine = await Engine.load(); // the embedded models; or { generator: "qwen.gguf", verifier: "prm.gguf" }

const { answer, steps, finishReason, ledger } = await engine.solve(question, {
  budget: { generations: 16, milliseconds: 30_000 },
  onProgress: ({ round, live, bestScore }) => console.error(`round ${round}: ${live} branches, best ${bestScore}`),
});

for (const { text, score } of steps) console.log(score?.toFixed(3), text.trimEnd());
console.log(
  `Answer: ${answer} (${finishReason}, ${ledger.generatedTokens} tokens, ${ledger.milliseconds.toFixed(0)} ms)`,
);
