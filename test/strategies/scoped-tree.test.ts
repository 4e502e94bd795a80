import { describe, expect, it } from "vitest";
import { ScopedTree } from "../../lib/strategies/scoped-tree.js";
import { ToyTree } from "../support/toy-tree.js";
import { chain } from "./problems.js";

describe("ScopedTree", () => {
  it("releases on close what is still held, and only that", async () => {
    const tree = new ToyTree(chain(3));
    const elsewhere = tree.fork(tree.root, 2);
    const scope = new ScopedTree(tree);
    const [first, second] = scope.fork(scope.root, 4);
    scope.release([first!]);
    scope.condition(second!, "again\n");
    expect(tree.live).toBe(6);
    await scope.close();
    expect(tree.live).toBe(2);
    await tree.extend(elsewhere);
  });

  it("lets calls under way come to rest first: the toy tree throws on the release of a busy branch", async () => {
    const tree = new ToyTree(chain(3), { delaySeed: 1 });
    const scope = new ScopedTree(tree);
    const extended = scope.extend(scope.fork(scope.root, 8));
    await scope.close();
    await extended;
    expect(tree).toMatchObject({ live: 0, stepsWritten: 8 });
  });

  it("takes no call once closed", async () => {
    const scope = new ScopedTree(new ToyTree(chain(3)));
    const branches = scope.fork(scope.root, 1);
    await scope.close();
    const cancelled = { code: "CANCELLED" };
    expect(() => scope.fork(scope.root, 1)).toThrow(expect.objectContaining(cancelled));
    expect(() => scope.condition(scope.root, "again\n")).toThrow(expect.objectContaining(cancelled));
    expect(() => scope.release(branches)).toThrow(expect.objectContaining(cancelled));
    await expect(scope.extend(branches)).rejects.toMatchObject(cancelled);
    await expect(scope.score(branches)).rejects.toMatchObject(cancelled);
  });
});
