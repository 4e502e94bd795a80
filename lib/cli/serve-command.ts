/**
 * `thinktree serve`: an OpenAI-compatible server, from flags to its end.
 *
 * Owns: its flags and help; where it listens, what it says when it does, what a signal means.
 * Must not know: HTTP, requests.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { Command, Option } from "commander";

import { ThinkTreeError } from "../errors.js";
import type { Server } from "../server/app.js";
import { settingsOf, type ServerOptions } from "../server/settings.js";
import type { Interruption } from "./interruption.js";
import { version } from "./package-files.js";
import { ProgressView } from "./progress-view.js";
import { addRemoteFlags, engineSource, openEngine, type RemoteFlags } from "./remote-flags.js";
import { addModelFlags, addPolicyFlags, type ModelFlags } from "./search-flags.js";
import { duration, wholeNumber } from "./values.js";

interface ServeFlags extends ModelFlags, RemoteFlags {
  readonly host: string;
  readonly port: number;
  readonly apiKeys?: string;
  readonly cors?: readonly string[];
  readonly maxN: number;
  readonly maxTokens?: number;
  readonly maxTime: number;
  readonly searches: number;
  readonly totalN: number;
  readonly totalTokens?: number;
  readonly queue: number;
  readonly queueTime: number;
  readonly drainTime: number;
  readonly bodyKib: number;
  readonly logLevel: string;
  readonly logPrompts?: true;
  readonly isolation?: true;
}

const help = `
Examples:
  $ thinktree serve
  $ thinktree serve --generator qwen.gguf --verifier prm.gguf --port 8000
  $ thinktree serve --host 0.0.0.0 --api-keys keys.txt
  $ curl localhost:8080/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"model": "thinktree-beam-16", "messages": [{"role": "user", "content":
    "Mia has 4 bags with 6 pens each. How many pens has she?"}]}'

Routes:
  GET  /  a page to ask on, and to see the tree grow
  POST /v1/chat/completions, /v1/completions    GET /v1/models
  GET  /health, /ready, /metrics, /openapi.json
docs/serve.md says what models' names and the field "thinktree" mean.

The address is printed on standard output when the server is ready; the log goes
to standard error, a JSON object a line.

Ctrl-C or SIGTERM: nothing new is begun, what runs has --drain-time to end and
then answers with the best it has; a second signal just ends.

Exit codes:
  0    a signal ended the server, and every search was answered
  1    an unexpected error
  2    a wrong flag, file or address
  130  a second Ctrl-C, or one while the models load (143: SIGTERM)`;

const many = wholeNumber(1, 65_536);
const tokens = wholeNumber(1, Number.MAX_SAFE_INTEGER);

export function serveCommand(interruption: Interruption): Command {
  const command = new Command("serve")
    .summary("answer requests as OpenAI's API does")
    .description("Serves an OpenAI-compatible API: every request is a search, and all share the engine's batches.")
    .configureHelp({ optionDescription: ({ description }) => description }) // they say defaults and choices themselves
    .optionsGroup("Address:")
    .option("--host <address>", "to listen at (default: 127.0.0.1, this machine alone)", "127.0.0.1")
    .option("--port <number>", "0: any that is free (default: 8080)", wholeNumber(0, 65_535), 8080)
    .option("--api-keys <file>", "a key a line; clients send one (default: THINKTREE_API_KEY, else none is asked for)")
    .option("--cors <origin...>", "web pages that may ask, such as https://example.org (default: none)")
    .optionsGroup("Limits of one request:")
    .option("--max-n <count>", "generations (default: 64)", many, 64)
    .option("--max-tokens <count>", "generated tokens (default: what the generations hold)", tokens)
    .option("--max-time <span>", "of its search (default: 2m)", duration, 120_000)
    .option("--body-kib <count>", "of its body (default: 1024)", wholeNumber(1, 1 << 20), 1_024)
    .optionsGroup("Limits of all requests:")
    .option("--searches <count>", "under way at once (default: 64)", many, 64)
    .option("--total-n <count>", "their generations (default: 1024)", wholeNumber(1, 1 << 30), 1_024)
    .option("--total-tokens <count>", "that they may generate (default: as the generations do)", tokens)
    .option("--queue <count>", "searches that wait; more are refused (default: 256)", wholeNumber(0, 1 << 20), 256)
    .option("--queue-time <span>", "that one waits at most (default: 30s)", duration, 30_000)
    .option("--drain-time <span>", "that searches have to end after a signal (default: 30s)", duration, 30_000)
    .optionsGroup("Faults:")
    .option("--isolation", "models in a process of their own: started again when it dies, searches go on");
  addRemoteFlags(addModelFlags(command));
  return addPolicyFlags(command)
    .optionsGroup("Log:")
    .addOption(
      new Option("--log-level <level>", "fatal, error, warn, info, debug or silent (default: info)")
        .choices(["fatal", "error", "warn", "info", "debug", "silent"])
        .default("info"),
    )
    .option("--log-prompts", "questions and answers too")
    .helpOption("-h, --help", "print this help")
    .addHelpText("after", help)
    .action((flags: ServeFlags) => serve(flags, interruption));
}

async function serve(flags: ServeFlags, interruption: Interruption): Promise<void> {
  const options = await serverOptions(flags);
  settingsOf(options); // a mistake is told before gigabytes are loaded
  const progress = new ProgressView(process.stderr);
  const source = await engineSource(flags, undefined);
  if (flags.isolation && "connect" in source) {
    throw new ThinkTreeError(
      "INVALID_OPTION",
      "--isolation is of models that are loaded here: leave it out, or --remote",
    );
  }
  const isolated =
    flags.isolation && "load" in source ? { load: { ...source.load, isolation: "process" as const } } : source;
  await using engine = await openEngine(isolated, progress, interruption);
  const log = { level: flags.logLevel, stream: process.stderr };
  const { Server } = await import("../server/app.js"); // no other command waits for a server to be read
  const server = await Server.create({ engine, options, version, log });
  await interruption.duringSearch(async (ending) => {
    const address = await listening(server, flags);
    if (!isLoopback(flags.host) && options.apiKeys!.length === 0) {
      server.log.warn("anybody who can reach this address may ask: name --api-keys");
    }
    process.stdout.write(`thinktree: listening at ${address}\n`);
    if (!ending.aborted) await once(ending, "abort");
    server.log.info("ending: no new searches");
    await server.close();
  });
}

async function serverOptions(flags: ServeFlags): Promise<ServerOptions> {
  return {
    apiKeys: await apiKeys(flags.apiKeys),
    corsOrigins: [...(flags.cors ?? [])],
    localNamesOnly: isLoopback(flags.host),
    ...{ branches: flags.maxN, tokens: flags.maxTokens, milliseconds: flags.maxTime },
    ...{ searches: flags.searches, totalBranches: flags.totalN, totalTokens: flags.totalTokens },
    ...{ queue: flags.queue, queueMs: flags.queueTime, drainMs: flags.drainTime },
    bodyBytes: flags.bodyKib * 1_024,
    logPrompts: flags.logPrompts ?? false,
  };
}

/** Not on the command line, where other users of the machine could read them. */
async function apiKeys(file: string | undefined): Promise<string[]> {
  if (file === undefined) return [process.env["THINKTREE_API_KEY"] ?? []].flat();
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new ThinkTreeError("INVALID_OPTION", `--api-keys ${file}: ${(cause as Error).message}`, { cause });
  });
  const keys = text.split("\n").flatMap((line) => line.trim() || []);
  if (keys.length > 0) return keys;
  throw new ThinkTreeError("INVALID_OPTION", `--api-keys ${file}: there is no key in it`);
}

async function listening(server: Server, { host, port }: ServeFlags): Promise<string> {
  try {
    return await server.listen(host, port);
  } catch (cause) {
    await server.close();
    const line = `cannot listen at ${host}, port ${port}: ${(cause as Error).message}: choose another --host or --port`;
    throw new ThinkTreeError("INVALID_OPTION", line, { cause });
  }
}

function isLoopback(host: string): boolean {
  return ["localhost", "127.0.0.1", "::1"].includes(host);
}
