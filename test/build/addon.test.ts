/** What the built addon shows to the process it is loaded into. */
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";

test.runIf(process.platform === "linux")("exports the N-API entry and nothing else", () => {
  const symbols = execFileSync("nm", ["--dynamic", "--defined-only", "build/Release/thinktree.node"], { encoding: "utf8" });
  const names = symbols.trim().split("\n").map((line) => line.split(" ").at(-1));
  expect(names.sort()).toEqual(["napi_register_module_v1", "node_api_module_get_api_version_v1"]);
});
