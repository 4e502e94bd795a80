/** `thinktree serve --isolation`: whatever dies or goes away, the server lives, answers, and holds nothing after it. Linux. */
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { engineProcesses, isAlive } from "../support/isolated-processes.js";
import { easy, ended, modelFlags, start, unlessModels } from "./thinktree.js";

/** 200 of them: THINKTREE_TEST_KILLS=200. */
const events = Number(process.env["THINKTREE_TEST_KILLS"] ?? 24);

async function serve() {
  const child = start(["serve", "--port", "0", "--isolation", "--log-level", "silent", ...modelFlags]);
  const end = ended(child);
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const url = /http:\/\/\S+/.exec(line.toString())![0];
  const ask = async (seed: number, { stream = false, signal }: { stream?: boolean; signal?: AbortSignal } = {}) => {
    const body = JSON.stringify({
      ...{ model: "thinktree-beam-8", messages: [{ role: "user", content: easy }], seed, stream },
    });
    const headers = { "content-type": "application/json" };
    const address = `${url}/v1/chat/completions`;
    const response = await fetch(address, { method: "POST", headers, body, ...(signal && { signal }) });
    return { status: response.status, text: await response.text() };
  };
  return { child, end, url, ask };
}

function answerOf({ status, text }: { readonly status: number; readonly text: string }): unknown {
  expect({ status, text }).toMatchObject({ status: 200 });
  return (JSON.parse(text) as { choices: { message: { content: string } }[] }).choices[0]!.message.content;
}

describe.skipIf(unlessModels.skip || process.platform !== "linux")(
  "thinktree serve --isolation (needs models/)",
  () => {
    it(`lives through ${events} random kills, disconnects and cancelled requests`, async () => {
      const { child, end, url, ask } = await serve();
      const expected = await Promise.all([ask(1), ask(2)]);
      let random = 7;
      const below = (limit: number) => (random = (random * 48271) % 2147483647) % limit;
      for (let event = 0; event < events; event++) {
        const leaving = new AbortController();
        const gone = ask(3, { stream: event % 2 === 0, signal: leaving.signal }).catch(() => undefined);
        const staying = [ask(1), ask(2)] as const;
        await setTimeout(below(80));
        if (below(2) === 0) for (const pid of engineProcesses(child.pid)) process.kill(pid, "SIGKILL");
        leaving.abort();
        expect((await Promise.all(staying)).map(answerOf)).toEqual(expected.map(answerOf));
        await gone;
      }
      const held = async () => {
        const text = await (await fetch(`${url}/metrics`)).text();
        const lines = text.matchAll(
          /^thinktree_(?:searches_(?:running|waiting)|engine_\w*(?:searches|branches|kv_cells)) (\d+)$/gm,
        );
        return [...lines].map(([, value]) => Number(value));
      };
      await vi.waitUntil(async () => (await held()).every((value) => value === 0), { timeout: 10_000, interval: 50 });
      expect((await held()).length).toBeGreaterThanOrEqual(6);
      const pids = engineProcesses(child.pid);
      expect(pids).toHaveLength(1);
      child.kill("SIGTERM");
      expect(await end).toMatchObject({ code: 0, stderr: "" });
      expect(pids.filter(isAlive)).toEqual([]);
    }, 600_000);

    it("takes its engine with it, also when it is killed", async () => {
      const { child, end } = await serve();
      const pids = engineProcesses(child.pid);
      expect(pids).toHaveLength(1);
      child.kill("SIGKILL");
      await end;
      await vi.waitUntil(() => !pids.some(isAlive), { timeout: 10_000 });
    });
  },
);
