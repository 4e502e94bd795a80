/** What the built addon shows to the process it is loaded into, and what it wants of it. */
import { execFileSync } from "node:child_process";
import { describe, expect, test } from "vitest";

describe.runIf(process.platform === "linux")("the addon", () => {
  const names = (which: "defined" | "undefined") =>
    execFileSync("nm", ["--dynamic", `--${which}-only`, "build/Release/thinktree.node"], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map((line) => line.split(" ").at(-1)!);

  test("exports the N-API entry and nothing else", () => {
    expect(names("defined").sort()).toEqual(["napi_register_module_v1", "node_api_module_get_api_version_v1"]);
  });

  test("wants N-API of its process, and no V8, libuv or Node, which are others in Electron", () => {
    const wanted = names("undefined");
    expect(wanted).toContain("napi_create_function");
    expect(wanted.filter((name) => /^uv_|^_ZN?K?(2v8|4node)/.test(name))).toEqual([]);
  });

  test("gives JavaScript no memory of its own, which Electron refuses", () => {
    const wanted = names("undefined");
    expect(wanted).toContain("napi_create_arraybuffer"); // so it is copied
    expect(wanted.filter((name) => name.includes("external"))).toEqual([]);
  });
});
