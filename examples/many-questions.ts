/**
 * Many questions at once. They share the engine's batches, so that all together take far less time than one after the
 * other. After 30 seconds, or on Ctrl-C, each gives the best answer it has so far.
 */
import { Engine, ThinkTreeError } from "thinktree";

const questions = [
  "Mia has 4 bags with 6 pens each. She gives 5 pens to Ben. How many pens does Mia have now?",
  "Leo has 17 coins. He buys 26 more. He loses 8 of them. How many coins does Leo have now?",
  "Ana has 9 boxes with 7 eggs each. She sells 20 eggs. How many eggs does Ana have now?",
  "", // a mistake: it fails alone, and the others go on
];

await using engine = await Engine.load();
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

await Promise.all(
  questions.map(async (question) => {
    try {
      const { answer, finishReason } = await engine.solve(question, {
        budget: { generations: 8, milliseconds: 30_000 },
        stop: stop.signal,
      });
      console.log(`${answer} (${finishReason}): ${question}`);
    } catch (error) {
      if (!ThinkTreeError.isInstance(error)) throw error;
      console.log(`${error.code}: ${error.message}`);
    }
  }),
);
