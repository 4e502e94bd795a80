/** Every way to say where steps end, from the option to the text. */
import { describe, expect, it } from "vitest";

import { Engine, type StepRule } from "../../lib/index.js";
import { embeddedModels } from "../support/models.js";

const models = embeddedModels();
const question = "Mia has 4 bags with 6 pens each. She gives 5 pens to Ben. How many pens does Mia have now?";

async function stepsOf(steps?: StepRule) {
  await using engine = await Engine.load({
    generator: { path: models!.generator, ...(steps && { steps }) },
    verifier: models!.verifier,
  });
  return await engine.solve(question, { budget: 1, temperature: 1, seed: 3 });
}

describe("steps", { skip: models === undefined }, () => {
  it("may end anywhere: the text is the same, and so is the answer", async () => {
    const usual = await stepsOf();
    const whole = async (rule: StepRule) => {
      const { text, steps, answer } = await stepsOf(rule);
      expect(text).toBe(usual.text);
      expect(answer).toBe(usual.answer);
      expect(steps.map((step) => step.text).join("")).toBe(text);
      expect(steps.every(({ score }) => score !== null)).toBe(true);
      return steps;
    };
    expect(usual.steps.length).toBeGreaterThan(1);
    expect(await whole({ delimiter: "\n" })).toHaveLength(usual.steps.length);
    expect(await whole({ whole: true })).toHaveLength(1);
    for (const step of (await whole({ tokens: 3 })).slice(0, -1)) expect(step.tokens).toBe(3);
    for (const step of (await whole({ pattern: /\d[+*/=-]/ })).slice(0, -1)) expect(step.text).toMatch(/\d[+*/=-]/);
    const sure = await whole({ confidence: 0.01 });
    const unsure = await whole({ confidence: 0.9 });
    expect(unsure.length).toBeGreaterThan(sure.length);
  });

  it("that cannot be are refused", async () => {
    await expect(stepsOf({ pattern: "a$" })).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});
