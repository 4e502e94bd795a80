/** The page at `/`, as it is sent; test/cli/serve-page.test.ts uses it. */
import { describe, expect, it } from "vitest";
import type { LoadedModels } from "../../lib/engine/addon.js";
import { modelList } from "../../lib/server/response-schemas.js";
import { chat, closeServersAfterEach, serverOf } from "../support/scripted-server.js";
import { answerOf, ScriptedEngine } from "../support/search-engine.js";

closeServersAfterEach();

const optionsIn = (html: string, id: string) =>
  [...new RegExp(`<select id="${id}">([^]*?)</select>`).exec(html)![1]!.matchAll(/value="([^"]*)"( selected)?/g)].map(
    ([, value, selected]) => `${value}${selected ?? ""}`,
  );

describe("the page", () => {
  it("lets the browser load nothing from elsewhere and run nothing that is written in it", async () => {
    const { headers, payload } = await (await serverOf()).inject({ url: "/" });
    expect(headers).toMatchObject({ "content-type": "text/html; charset=utf-8", "x-content-type-options": "nosniff" });
    const policy = headers["content-security-policy"]!;
    expect(policy).toMatch(/default-src 'none'; script-src 'self'; connect-src 'self';.*frame-ancestors 'none'/);
    expect(policy).not.toContain("unsafe");
    expect(payload).not.toMatch(/(src|href)="(?!assets\/|data:)|<script>| on\w+=|style="/);
  });

  it("offers what the server has: no more strategies, budgets or fields", async () => {
    const engine = new ScriptedEngine(answerOf());
    const server = await serverOf(engine, { branches: 100 });
    const html = (await server.inject({ url: "/" })).payload;
    expect(optionsIn(html, "generations")).toEqual(["4", "16 selected", "64"]);
    const strategies = optionsIn(html, "strategy");
    expect(strategies[0]).toBe("");
    const models = modelList.parse((await server.inject({ url: "/v1/models" })).json()).data.map(({ id }) => id);
    const unsized = models.filter((name) => !/\d$/.test(name));
    expect(strategies.map((name) => (name === "" ? "thinktree" : `thinktree-${name}`))).toEqual(unsized);
    expect(html).not.toContain("API key");
    expect((await server.inject(chat({ model: unsized.at(-1) }))).statusCode).toBe(200);
  });

  it("offers votes alone without a verifier, and the one budget of a small server", async () => {
    const engine = Object.assign(new ScriptedEngine(), { models: { generator: { positions: 100 } } as LoadedModels });
    const html = (await (await serverOf(engine, { branches: 3 })).inject({ url: "/" })).payload;
    expect(optionsIn(html, "strategy")).toEqual(["", "majority"]);
    expect(optionsIn(html, "generations")).toEqual(["3"]);
  });

  it("needs no key, and has a field for one where searches do", async () => {
    const server = await serverOf(new ScriptedEngine(), { apiKeys: ["0123456789abcdef"] });
    const { statusCode, payload } = await server.inject({ url: "/" });
    expect(statusCode).toBe(200);
    expect(payload).toContain(`<input id="key" type="password"`);
  });

  it("is for names of the own machine where the server is", async () => {
    const server = await serverOf(new ScriptedEngine(), { localNamesOnly: true });
    expect((await server.inject({ url: "/", headers: { host: "evil.example" } })).statusCode).toBe(403);
  });
});
