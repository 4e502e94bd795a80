/** One crossing a microtask, whatever was asked in it; promises that always settle. The native end is a stub here. */
import { beforeEach, expect, test, vi } from "vitest";

import type { NativeCompletion, NativeEngine, NativeEvent } from "../../lib/engine/addon.js";
import { Channel } from "../../lib/engine/channel.js";
import { resolveOptions } from "../../lib/engine/options.js";
import { NativeTree } from "../../lib/engine/native-tree.js";
import { treeOptions } from "../support/fake-engine.js";

const native = {
  submit: vi.fn<NativeEngine["submit"]>(),
  stats: vi.fn<NativeEngine["stats"]>(),
  close: vi.fn<NativeEngine["close"]>(() => Promise.resolve()),
  ref: vi.fn(),
  unref: vi.fn(),
};
let raise: (...event: NativeEvent) => void;

vi.mock("../../lib/engine/addon.js", () => ({
  createNativeEngine: (_options: object, onEvent: (...event: NativeEvent) => void) => {
    raise = onEvent;
    return native;
  },
}));

const model = { parameters: 1, vocabulary: 1, positions: 1, kvCells: 1024, width: 1, weightBytes: 0, recipe: {} };
const done = (request: number): NativeCompletion => ({ request, reason: "step", steps: [], scores: [] });

async function openChannel(): Promise<Channel> {
  const opening = Channel.open(resolveOptions({}));
  raise("loaded", { generator: model });
  return (await opening)[0];
}

beforeEach(() => vi.clearAllMocks());

test("64 extends awaited together are one crossing", async () => {
  const channel = await openChannel();
  const opening = NativeTree.open(channel, treeOptions());
  await Promise.resolve();
  raise("completed", [done(1)]);
  const tree = await opening;
  const branches = tree.fork(tree.root, 64);
  native.submit.mockClear();

  const extending = Promise.all(branches.map((branch) => tree.extend([branch])));
  await Promise.resolve();
  await Promise.resolve();
  expect(native.submit).toHaveBeenCalledTimes(1);
  raise(
    "completed",
    branches.map((_, i) => done(2 + i)),
  );
  await extending;
});

test("the process is kept alive exactly while something is pending", async () => {
  const channel = await openChannel();
  native.unref.mockClear();
  const answer = channel.request((commands, request) => commands.ledger(request, 1));
  expect(native.ref).toHaveBeenCalledTimes(1);
  expect(native.unref).not.toHaveBeenCalled();
  raise("completed", [done(1)]);
  await answer;
  expect(native.unref).toHaveBeenCalledTimes(1);
});

test("close settles what is open, refuses what comes later, and may be called again", async () => {
  const channel = await openChannel();
  const open = channel.request((commands, request) => commands.ledger(request, 1));
  const closing = [channel.close(), channel.close()];
  await expect(open).rejects.toMatchObject({ code: "ENGINE_CLOSED" });
  await Promise.all(closing);
  expect(native.close).toHaveBeenCalledTimes(1);
  await expect(channel.request((commands, request) => commands.score(request, 1))).rejects.toMatchObject({
    code: "ENGINE_CLOSED",
  });
});

test("a failed load closes the engine and says why", async () => {
  const opening = Channel.open(resolveOptions({}));
  raise("failed", { code: "MODEL_LOAD_FAILED", message: "no such file" });
  await expect(opening).rejects.toMatchObject({ code: "MODEL_LOAD_FAILED", message: "no such file" });
  expect(native.close).toHaveBeenCalledTimes(1);
});
