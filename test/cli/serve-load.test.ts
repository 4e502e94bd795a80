/** `thinktree serve` under load, on loopback: nothing lost, nothing left behind. Latency is printed, never judged. */
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import autocannon from "autocannon";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { easy, ended, long, modelFlags, start, unlessModels } from "./thinktree.js";

const streams = 64;

describe.skipIf(unlessModels.skip)("thinktree serve under load (needs models/)", () => {
  let child: ReturnType<typeof start>;
  let end: ReturnType<typeof ended>;
  let url: string;
  beforeAll(async () => {
    const flags = ["--searches", "16", "--body-kib", "16", "--log-level", "silent", "--queue-time", "5m"];
    child = start(["serve", "--port", "0", ...flags, ...modelFlags]);
    end = ended(child);
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    url = /http:\/\/\S+/.exec(line.toString())![0];
  });
  afterAll(async () => {
    child.kill("SIGTERM");
    // Nothing on stderr, where Node would warn of leaks: the log is silent.
    expect(await end).toMatchObject({ code: 0, stderr: "" });
  });

  const headers = { "content-type": "application/json" };
  const bodyOf = (more: object = {}) =>
    JSON.stringify({ model: "thinktree-beam-8", messages: [{ role: "user", content: easy }], ...more });
  const post = (body: string, signal?: AbortSignal) =>
    fetch(`${url}/v1/chat/completions`, { method: "POST", headers, body, ...(signal && { signal }) });

  async function held(): Promise<Record<string, number>> {
    const text = await (await fetch(`${url}/metrics`)).text();
    const names = [
      "searches_running",
      "searches_waiting",
      "engine_searches",
      "engine_branches",
      "engine_kv_cells",
      "engine_verifier_kv_cells",
    ];
    return Object.fromEntries(
      names.map((name) => [name, Number(new RegExp(`^thinktree_${name} (\\S+)$`, "m").exec(text)![1])]),
    );
  }

  /** What was given up is freed within the decode that is under way. */
  async function settled(): Promise<void> {
    const nothing = (values: Record<string, number>) => Object.values(values).every((value) => value === 0);
    for (let left = 100; left > 0 && !nothing(await held()); left--) await setTimeout(50);
    expect(Object.values(await held()).reduce((sum, value) => sum + value)).toBe(0);
  }

  it("64 streams at once all come to their ends, slow readers too", async () => {
    const texts = await Promise.all(
      Array.from({ length: streams }, async (_, i) => {
        const response = await post(bodyOf({ stream: true, seed: i }));
        expect(response.status).toBe(200);
        let text = "";
        const decoder = new TextDecoder();
        for await (const part of response.body!) {
          if (i % 4 === 0) await setTimeout(20);
          text += decoder.decode(part as Uint8Array, { stream: true });
        }
        return text;
      }),
    );
    for (const text of texts) {
      expect(text).toMatch(/"finish_reason":"stop"/);
      expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    }
    await settled();
  });

  it("256 requests over 64 connections are all answered", async () => {
    const {
      "2xx": answered,
      errors,
      timeouts,
      latency,
    } = await autocannon({
      ...{
        url: `${url}/v1/chat/completions`,
        method: "POST",
        headers,
        body: bodyOf(),
        connections: streams,
        amount: 256,
        timeout: 100,
      },
    });
    console.log(`serve: 256 requests over ${streams} connections: p50 ${latency.p50} ms, p99 ${latency.p99} ms`);
    expect({ answered, errors, timeouts }).toEqual({ answered: 256, errors: 0, timeouts: 0 });
    await settled();
  });

  it("clients that go, at any moment, leave nothing behind, and the others are answered", async () => {
    const search = { model: "thinktree-beam-64", messages: [{ role: "user", content: long }], temperature: 1.5 };
    const going = Array.from({ length: streams }, (_, i) =>
      post(bodyOf({ ...search, stream: i % 2 === 0 }), AbortSignal.timeout(5 * i)).then(
        (response) => response.text().catch(() => "gone"),
        () => "gone",
      ),
    );
    const staying = Array.from({ length: 4 }, async () => (await post(bodyOf())).status);
    expect(await Promise.all(staying)).toEqual([200, 200, 200, 200]);
    expect((await Promise.all(going)).filter((text) => text === "gone").length).toBeGreaterThan(streams / 4);
    await settled();
  });

  it("bad bodies among good ones are refused, and harm none", async () => {
    const bodies = Array.from(
      { length: streams },
      (_, i) => [bodyOf(), "{", bodyOf({ user: "x".repeat(20_000) }), bodyOf({ n: -1 })][i % 4]!,
    );
    const statuses = await Promise.all(
      bodies.map((body) =>
        post(body).then(
          async (response) => (await response.text(), response.status),
          () => 413, // the connection may be closed before the whole body is sent
        ),
      ),
    );
    expect(statuses).toEqual(bodies.map((_, i) => [200, 400, 413, 400][i % 4]));
    await settled();
  });
});
