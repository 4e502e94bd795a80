import { afterEach, describe, expect, it, vi } from "vitest";
import { ask, type Told } from "../../lib/page/browser/completion-stream.js";

const question = { question: "2+2? ✓", strategy: "", generations: 16, key: "" };
const never = new AbortController().signal;

afterEach(() => vi.unstubAllGlobals());

/** Answers the next request in pieces of so many bytes. */
function answering(text: string, { size = Infinity, ...options }: ResponseInit & { size?: number } = {}) {
  const bytes = new TextEncoder().encode(text);
  const pieces = Array.from({ length: Math.ceil(bytes.length / Math.min(size, bytes.length)) }, (_, i) =>
    bytes.slice(i * size || 0, (i + 1) * size),
  );
  const fetched = vi.fn<typeof fetch>(() => Promise.resolve(new Response(ReadableStream.from(pieces), options)));
  vi.stubGlobal("fetch", fetched);
  return fetched;
}

async function all(asked = question, signal = never): Promise<Told[]> {
  const told: Told[] = [];
  for await (const one of ask(asked, signal)) told.push(one);
  return told;
}

const stream = [
  ": searching",
  `data: {"choices":[],"thinktree":{"tree":{"steps":[],"rounds":2,"chosen":null}}}`,
  `data: {"choices":[{"delta":{"content":"A: ✓"}}]}`,
  `data: {"choices":[],"thinktree":{"answer":"✓","ledger":{"generatedTokens":4}}}`,
  "data: [DONE]",
  "",
].join("\n\n");

describe("ask", () => {
  it.each([1, 7, 1_000])("reads events whose bytes come by %i", async (size) => {
    answering(stream, { size });
    expect(await all()).toEqual([
      { tree: { steps: [], rounds: 2, chosen: null } },
      { found: { answer: "✓", ledger: { generatedTokens: 4 } } },
    ]);
  });

  it("asks the server that sent the page, for the tree, with strategy, budget and key", async () => {
    const fetched = answering(stream);
    await all({ ...question, strategy: "beam", key: "secret" });
    const [address, { headers, body }] = fetched.mock.calls[0] as [string, { headers: object; body: string }];
    expect(address).toBe("v1/chat/completions");
    expect(headers).toMatchObject({ authorization: "Bearer secret" });
    expect(JSON.parse(body)).toEqual({
      ...{ model: "thinktree-beam", stream: true, messages: [{ role: "user", content: question.question }] },
      thinktree: { tree: true, budget: { generations: 16 } },
    });
    await all();
    expect(fetched.mock.calls[1]![1]!.headers).not.toHaveProperty("authorization");
  });

  it.each([
    ["a stream that breaks off", stream.slice(0, 150), {}, { status: 0 }],
    [
      "an error in the stream",
      `data: {"error":{"message":"no memory","code":"decode_failed"}}\n\n`,
      {},
      { code: "decode_failed", message: "no memory" },
    ],
    [
      "a refusal",
      `{"error":{"message":"full","code":"queue_full"}}`,
      { status: 429, headers: { "retry-after": "3" } },
      { status: 429, code: "queue_full", retryAfter: 3 },
    ],
    [
      "words of a proxy",
      "<h1>Bad gateway</h1>",
      { status: 502 },
      { status: 502, retryAfter: null, message: "the server answered 502" },
    ],
  ])("tells of %s", async (_, text, options, refusal) => {
    answering(text, options);
    await expect(all()).rejects.toMatchObject({ refusal });
  });

  it("tells of a server that is not there, and not of a reader who stops", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(all()).rejects.toMatchObject({ refusal: { status: 0 } });
    await expect(all(question, AbortSignal.abort())).rejects.toThrow("Failed to fetch");
  });
});
