/**
 * A search method of one's own. This one writes a single solution, and takes back a step that the verifier doubts:
 * up to `tries` attempts a step, of which the best stays.
 */
import { defineStrategy, Engine, rankByScore, type Branch, type Strategy } from "thinktree";

interface Options {
  readonly tries: number;
  /** A step that scores at least this is kept at once. */
  readonly trust: number;
}

function secondThoughts({ tries, trust }: Options): Strategy {
  return defineStrategy({
    name: "second-thoughts",
    options: { tries, trust },
    generations: tries, // no step is written more often
    async explore(tree, { answerOf, onRound }) {
      let here = tree.root;
      for (let round = 1; canGrow(here) && !tree.exhausted; round++) {
        const attempts: Branch[] = [];
        do {
          const [attempt] = tree.fork(here, 1) as [Branch];
          await tree.extend([attempt], { score: true });
          await tree.score([attempt]);
          attempts.push(attempt);
        } while (attempts.length < tries && lastScore(attempts.at(-1)!) < trust && !tree.exhausted);
        here = attempts.reduce((best, attempt) => (lastScore(attempt) > lastScore(best) ? attempt : best));
        tree.release(attempts.filter((attempt) => attempt !== here));
        onRound?.({ round, live: 1, finished: Number(here.finished), bestScore: lastScore(here) });
      }
      const { text, steps, finished, finishReason } = here;
      const weakest = Math.min(...steps.map(({ score }) => score ?? 0));
      return [{ text, steps, finished, finishReason, answer: answerOf(text), score: weakest }];
    },
    rank: rankByScore,
  });
}

function canGrow({ finishReason }: Branch): boolean {
  return finishReason === null || finishReason === "step";
}

function lastScore({ steps }: Branch): number {
  return steps.at(-1)?.score ?? 0;
}

await using engine = await Engine.load();
const question = "Mia has 4 bags with 6 pens each. She gives 5 pens to Ben. How many pens does Mia have now?";
const found = await engine.solve(question, { strategy: secondThoughts({ tries: 8, trust: 0.5 }), seed: 1 });

console.log(found.text.trimEnd());
console.log(`${found.strategy.name}: ${found.answer}, ${found.ledger.generatedTokens} tokens`);
