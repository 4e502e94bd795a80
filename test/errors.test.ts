import { describe, expect, it } from "vitest";
import { ThinkTreeError } from "../lib/errors.js";

describe("ThinkTreeError", () => {
  it("carries a code and a cause", () => {
    const cause = new Error("mmap failed");
    const error = new ThinkTreeError("MODEL_LOAD_FAILED", "cannot read model.gguf", { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "ThinkTreeError",
      code: "MODEL_LOAD_FAILED",
      message: "cannot read model.gguf",
      cause,
    });
  });

  it("recognises itself and errors of another copy of the package, and nothing else", () => {
    expect(ThinkTreeError.isInstance(new ThinkTreeError("INTERNAL", "x"))).toBe(true);
    expect(ThinkTreeError.isInstance(Object.assign(new Error("x"), { [Symbol.for("thinktree.error")]: true }))).toBe(
      true,
    );
    for (const other of [new Error("x"), null, undefined, "INTERNAL", { code: "INTERNAL" }]) {
      expect(ThinkTreeError.isInstance(other)).toBe(false);
    }
  });
});
