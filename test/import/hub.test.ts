/** Models of the hub come whole, once, or not at all. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { hubModel, type HubOptions } from "../../lib/models/hub.js";
import { fileOf, filesWith, parseHubName } from "../../lib/models/hub-name.js";
import { Hub } from "../support/hub.js";

const mib = 1 << 20;
let cacheFolder: string;
beforeEach(() => (cacheFolder = mkdtempSync(join(tmpdir(), "thinktree-hub-"))));
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cacheFolder, { recursive: true, force: true });
});

async function serve(files: Readonly<Record<string, Buffer>>): Promise<Hub> {
  const hub = await Hub.serve(files);
  vi.stubEnv("HF_ENDPOINT", `${hub.endpoint}/`);
  return hub;
}

const get = (name: string, options: HubOptions = {}) => hubModel(name, { cacheFolder, ...options });
/** All files but those under way. */
const kept = () =>
  readdirSync(cacheFolder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes(".unfinished"))
    .map((entry) => relative(join(cacheFolder, "hub/ann/tiny/main"), join(entry.parentPath, entry.name)))
    .sort();
const failure = (message: RegExp) => ({
  ...{ code: "DOWNLOAD_FAILED", message: expect.stringMatching(message) as string },
});

describe("a model", () => {
  it("is fetched once, and then needs no network", async () => {
    const files = { "tiny-Q8_0.gguf": randomBytes(mib), "README.md": randomBytes(10) };
    const hub = await serve(files);
    const told: [number, number][] = [];
    const path = await get("hf:ann/tiny:q8_0", { onDownload: ({ done, total }) => told.push([done, total]) });
    expect(readFileSync(path).equals(files["tiny-Q8_0.gguf"])).toBe(true);
    expect(told.at(-1)).toEqual([mib, mib]);
    expect(kept()).toEqual(["tiny-Q8_0.gguf"]);
    await hub[Symbol.asyncDispose]();
    for (const name of ["hf:ann/tiny:Q8_0", "hf:ann/tiny/tiny-Q8_0.gguf"]) expect(await get(name)).toBe(path);
  });

  it("brings its head and all its parts", async () => {
    const names = ["q4/prm-00001-of-00002.gguf", "q4/prm-00002-of-00002.gguf", "q4/prm-00001-of-00002.head.gguf"];
    const files = Object.fromEntries(names.map((name) => [name, randomBytes(1_000)]));
    await using hub = await serve(files);
    const path = await get("hf:ann/tiny/q4/prm-00001-of-00002.gguf");
    expect(path.endsWith("q4/prm-00001-of-00002.gguf")).toBe(true);
    expect(kept()).toEqual([...names].sort());
    for (const name of kept())
      expect(readFileSync(join(cacheFolder, "hub/ann/tiny/main", name)).equals(files[name]!)).toBe(true);
    expect(hub.asked.length).toBeGreaterThan(0);
  });

  it("is fetched once by two who ask at once", async () => {
    await using hub = await serve({ "tiny.gguf": randomBytes(mib) });
    const [one, other] = await Promise.all([get("hf:ann/tiny"), get("hf:ann/tiny/tiny.gguf")]);
    expect(one).toBe(other);
    expect(hub.sent).toBe(mib);
  });

  it("goes on by itself where the connection breaks", async () => {
    const bytes = randomBytes(12 * mib);
    await using hub = await serve({ "tiny.gguf": bytes });
    hub.breakAfter = 8 * mib;
    expect(readFileSync(await get("hf:ann/tiny")).equals(bytes)).toBe(true);
    expect(hub.breakAfter).toBe(Infinity);
  });

  it("is taken up again after a stop, and is nowhere before", async () => {
    const bytes = randomBytes(24 * mib);
    await using hub = await serve({ "tiny.gguf": bytes });
    hub.holdAfter = 20 * mib;
    const controller = new AbortController();
    const onDownload = ({ done }: { done: number }) => void (done >= 16 * mib && controller.abort());
    await expect(get("hf:ann/tiny", { signal: controller.signal, onDownload })).rejects.toMatchObject({
      ...{ code: "CANCELLED", message: expect.stringMatching(/goes on from there/) as string },
    });
    expect(kept()).toEqual([]);
    hub.holdAfter = Infinity;
    hub.sent = 0;
    expect(readFileSync(await get("hf:ann/tiny")).equals(bytes)).toBe(true);
    expect(hub.sent).toBeLessThan(21 * mib); // one piece of 5 MiB at least was kept
    expect(readdirSync(join(cacheFolder, "hub/ann/tiny/main/.unfinished"))).toEqual([]);
  });

  it("with other bytes than the hub's is thrown away", async () => {
    await using hub = await serve({ "tiny.gguf": randomBytes(1_000) });
    hub.corrupt = true;
    await expect(get("hf:ann/tiny")).rejects.toMatchObject(failure(/another checksum.*try again/));
    expect(readdirSync(cacheFolder, { recursive: true }).filter((name) => String(name).includes("gguf"))).toEqual([]);
    hub.corrupt = false;
    expect(await get("hf:ann/tiny")).toMatch(/tiny\.gguf$/);
  });
});

describe("it is said what to do", () => {
  it.each([
    [404, /no ann\/tiny at main.*404.*look at its name.*HF_TOKEN/],
    [401, /HF_TOKEN/],
    [503, /503.*try again later/],
  ])("when the hub answers %i", async (status, message) => {
    await using hub = await serve({});
    hub.status = status;
    await expect(get("hf:ann/tiny")).rejects.toMatchObject(failure(message));
    expect(kept()).toEqual([]);
  });

  it("without a network", async () => {
    const hub = await serve({});
    await hub[Symbol.asyncDispose]();
    await expect(get("hf:ann/tiny:Q8_0")).rejects.toMatchObject(failure(/cannot be reached.*go online.*by its path/));
  });

  it("where something else than a hub answers", async () => {
    await using hub = await serve({ "../../api/models/ann/tiny/revision/main": Buffer.from("{}") });
    vi.stubEnv("HF_ENDPOINT", `${hub.endpoint}/elsewhere`);
    await expect(get("hf:ann/tiny")).rejects.toMatchObject(failure(/404/));
  });

  it("where a name fits several files, or none", async () => {
    await using hub = await serve({ "a-Q8_0.gguf": Buffer.of(1), "a-Q6_K.gguf": Buffer.of(1) });
    const both = /it has hf:ann\/tiny\/a-Q8_0\.gguf, hf:ann\/tiny\/a-Q6_K\.gguf/;
    for (const name of ["hf:ann/tiny", "hf:ann/tiny:Q4_0", "hf:ann/tiny/b.gguf"]) {
      await expect(get(name)).rejects.toMatchObject(failure(both));
    }
    expect(hub.sent).toBe(0);
  });

  it.each([
    "hf:ann",
    "hf:ann/tiny:",
    "hf:ann/../x.gguf",
    "hf:ann/tiny/../../x.gguf",
    "hf:ann/tiny/a.bin",
    "hf:../tiny",
  ])("about the name %s", async (name) => {
    await expect(get(name)).rejects.toMatchObject({ code: "INVALID_OPTION" });
  });
});

it("writes nowhere but in its folder, whatever the hub lists", async () => {
  await using hub = await serve({ "../../../../evil-Q4_K_M.gguf": Buffer.of(1), "/etc/x-Q4_K_M.gguf": Buffer.of(1) });
  await expect(get("hf:ann/tiny:Q4_K_M")).rejects.toMatchObject(failure(/it has no GGUF file/));
  expect(hub.sent).toBe(0);
});

describe("a name", () => {
  const files = [
    ...["m-Q4_K_M.gguf", "m-Q4_K_S.gguf", "m-Q4_K_M.head.gguf", "mmproj-m-F16.gguf", "README.md"],
    ...["BF16/m-BF16-00001-of-00002.gguf", "BF16/m-BF16-00002-of-00002.gguf", "m-IQ4_K_M.gguf"],
  ];
  it.each([
    ["hf:a/m", "m-Q4_K_M.gguf"],
    ["hf:a/m:q4_k_s", "m-Q4_K_S.gguf"],
    ["hf:a/m:BF16", "BF16/m-BF16-00001-of-00002.gguf"],
    ["hf:a/m:F16", undefined],
    ["hf:a/m:Q4_K", undefined],
    ["hf:a/m/m-IQ4_K_M.gguf", "m-IQ4_K_M.gguf"],
  ])("%s means %s", (name, expected) => expect(fileOf(parseHubName(name), files)).toBe(expected));

  it("may tell the revision", () => {
    expect(parseHubName("hf:a/m/x/y.gguf#refs/pr/1")).toMatchObject({ file: "x/y.gguf", revision: "refs/pr/1" });
  });

  it("stands for all that belongs together", () => {
    expect(filesWith(files[0]!, files)).toEqual({ parts: [files[0]], head: files[2] });
    expect(filesWith(files[5]!, files)).toEqual({ parts: [files[5], files[6]], head: undefined });
  });
});
