/** The command line over models on a server. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";

import { CompletionsServer, refuses } from "../support/completions-server.js";
import { ended, start, thinktree } from "./thinktree.js";

const folder = mkdtempSync(join(tmpdir(), "thinktree-remote-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const recipe = file(
  "toy.json",
  JSON.stringify({ name: "toy", prompt: "Q: {question}\n", steps: { delimiter: "\n" }, answerPrefix: "A: " }),
);
const tag = file(
  "tag.json",
  JSON.stringify({ name: "toy tag", next: "{step}?", words: "own", read: { pair: ["+", "-"] }, aggregation: "last" }),
);
const template = file("chat.jinja", "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>");

describe("--remote", () => {
  it("searches there, with a key that is nowhere to be seen", async () => {
    await using server = await CompletionsServer.start({ apiKey: "secret" });
    const { url } = server;
    const flags = ["--remote", url, "--generator-recipe", recipe, "--remote-verifier", url, "--verifier-recipe", tag];
    const env = { THINKTREE_REMOTE_KEY: "secret" };
    const solved = await thinktree(["solve", "1+2?", ...flags, "--strategy", "beam", "--n", "8", "--json"], { env });
    expect(solved).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(solved.stdout)).toMatchObject({ answer: "3", score: expect.closeTo(0.75) as number });

    const questions = file("questions.jsonl", '{"question":"1+2?","answer":"3"}\n{"question":"2+2?","answer":"4"}\n');
    const journal = join(folder, "journal.jsonl");
    const evaluated = await thinktree(
      ["evaluate", "--questions", questions, "--n", "4", ...flags, "--journal", journal, "--json"],
      { env },
    );
    expect(evaluated.code).toBe(0);
    expect(JSON.parse(evaluated.stdout)).toMatchObject({ questions: 2, accuracy: { mean: 0.5 } });

    const refused = await thinktree(["solve", "1+2?", ...flags], { env: { THINKTREE_REMOTE_KEY: "wr0ng" } });
    expect(refused).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("THINKTREE_REMOTE_KEY") as string,
    });
    expect(refused.stderr).not.toContain("wr0ng");
  });

  it("serves what others serve, and passes their faults on", async () => {
    await using server = await CompletionsServer.start();
    const child = start([
      "serve",
      "--port",
      "0",
      "--remote",
      server.url,
      "--generator-recipe",
      recipe,
      "--log-level",
      "silent",
    ]);
    const end = ended(child);
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const ask = () =>
      fetch(`${/http:\/\/\S+/.exec(line.toString())![0]}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "thinktree-majority-4", messages: [{ role: "user", content: "1+2?" }] }),
      });
    expect(await (await ask()).json()).toMatchObject({ choices: [{ message: { content: "1+2=3\nA: 3\n" } }] });
    server.fail([refuses(500, {}, "no memory")]);
    const failed = await ask();
    expect(failed.status).toBe(502);
    expect(await failed.json()).toMatchObject({ error: { code: "remote_failed" } });
    child.kill("SIGTERM");
    expect(await end).toMatchObject({ code: 0 });
  });

  it("asks by a template", async () => {
    await using server = await CompletionsServer.start({ models: ["a", "b"] });
    const flags = ["--remote", server.url, "--remote-model", "b", "--template", template, "--system", "Be brief."];
    const { code, stderr } = await thinktree(["solve", "1+2?", ...flags, "--strategy", "majority", "--n", "1"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(server.streams[0]!.body).toMatchObject({ model: "b", prompt: "<system>Be brief.<user>1+2?<assistant>" });
  });

  it("goes with no flags of models that are here", async () => {
    const remote = ["--remote", "http://127.0.0.1:1"];
    const wrong: [string[], string][] = [
      [[...remote, "--draft", "x.gguf"], "--draft"],
      [[...remote, "--kv-cells", "512"], "--kv-cells"],
      [[...remote, "--strategy", "beam"], "--remote-verifier"],
      [["--remote-verifier", "http://127.0.0.1:1"], "--remote"],
      [[...remote, "--template", join(folder, "none")], "--template"],
      [["--remote", "127.0.0.1:1"], "http://host:port"],
    ];
    for (const [flags, named] of wrong) {
      const { code, stderr } = await thinktree(["solve", "1+2?", ...flags]);
      expect(code).toBe(2);
      expect(stderr).toContain(named);
    }
  });
});
