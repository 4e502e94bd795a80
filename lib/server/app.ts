/**
 * The HTTP server.
 *
 * Owns: the framework's settings, what holds for every request (limits, errors, log, metrics), listening and draining.
 * Must not know: what is asked and answered. A room of routes is a plugin of its own, registered here.
 */
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";

import cors from "@fastify/cors";
import swagger from "@fastify/swagger";
import fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type InjectOptions,
} from "fastify";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import type { z } from "zod";

import { accessBy, assertLocalName } from "./access.js";
import { ApiError, apiErrorOf, invalidRequest } from "./api-error.js";
import { Metrics } from "./metrics.js";
import { openaiRoutes } from "./openai-routes.js";
import { operatorRoutes } from "./operator-routes.js";
import { pageRoutes } from "./page-routes.js";
import { Searches, type SearchEngine } from "./searches.js";
import { settingsOf, type ServerOptions, type ServerSettings } from "./settings.js";

export interface ServerParts {
  readonly engine: SearchEngine;
  readonly options?: ServerOptions;
  readonly version: string;
  /** Where the log goes, a line of JSON each; undefined: nowhere. */
  readonly log?: { readonly level: string; readonly stream: NodeJS.WritableStream } | undefined;
}

const sweepMs = 20;

export class Server implements AsyncDisposable {
  /** @throws {ThinkTreeError} INVALID_OPTION */
  static async create({ engine, options = {}, version, log }: ServerParts): Promise<Server> {
    const settings = settingsOf(options);
    const metrics = new Metrics();
    const limits = { ...settings, branches: settings.totalBranches, tokens: settings.totalTokens ?? Infinity };
    const searches = new Searches(engine, limits, metrics);
    const sockets = new Set<Socket>();
    const app = appWith(settings, metrics, sockets, log);

    if (settings.corsOrigins.length > 0) {
      const origin = settings.corsOrigins.includes("*") ? "*" : settings.corsOrigins;
      await app.register(cors, { origin, methods: ["GET", "POST"], allowedHeaders: ["authorization", "content-type"] });
    }
    await app.register(swagger, {
      openapi: {
        openapi: "3.1.0",
        info: { title: "thinktree", description: "OpenAI's API, answered by tree search", version },
        components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
      },
      transform: jsonSchemaTransform,
    });
    const client = accessBy(settings.apiKeys);
    const parts = { engine, searches, settings, metrics, client };
    await app.register(openaiRoutes, { ...parts, prefix: "/v1" });
    await app.register(operatorRoutes, parts);
    await app.register(pageRoutes, parts);
    await app.ready();
    return new Server(app, sockets, searches, settings);
  }

  private constructor(
    private readonly app: FastifyInstance,
    private readonly sockets: ReadonlySet<Socket>,
    private readonly searches: Searches,
    private readonly settings: ServerSettings,
  ) {}

  get log(): FastifyBaseLogger {
    return this.app.log;
  }

  /** @returns the address, as a URL */
  listen(host: string, port: number): Promise<string> {
    return this.app.listen({ host, port });
  }

  /** A request without a network. */
  inject(request: InjectOptions) {
    return this.app.inject(request);
  }

  /** Searches under way have `drainMs` to end, then answer with the best they have; all else is refused. Frees the port. */
  async close(): Promise<void> {
    await this.searches.drain(this.settings.drainMs);
    const { server } = this.app;
    // A connection that has had its last answer is kept for a next one, and browsers open some before they have a request;
    // and who does not take its answer shall not hold up the end.
    const sweep = setInterval(() => {
      server.closeIdleConnections();
      for (const socket of this.sockets) if (socket.bytesRead === 0) socket.destroy();
    }, sweepMs);
    const deadline = setTimeout(() => server.closeAllConnections(), this.settings.clientMs);
    await this.app.close();
    clearInterval(sweep);
    clearTimeout(deadline);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** `sockets` is kept to those that are open. */
function appWith(
  settings: ServerSettings,
  metrics: Metrics,
  sockets: Set<Socket>,
  log: ServerParts["log"],
): FastifyInstance {
  const { bodyBytes, headerBytes, clientMs } = settings;
  const app = fastify({
    bodyLimit: bodyBytes,
    requestTimeout: clientMs,
    http: {
      maxHeaderSize: headerBytes,
      headersTimeout: clientMs,
      connectionsCheckingInterval: Math.min(clientMs, 5_000),
    },
    genReqId: () => randomUUID(),
    logger: log === undefined ? false : { level: log.level, stream: log.stream, base: null },
    logController: new LogController({ disableRequestLogging: true }), // onResponse tells the whole
    return503OnClosing: false, // the searches say so themselves, in OpenAI's shape
    routerOptions: { maxParamLength: 256 },
    clientErrorHandler: refuseUnread,
  });
  app.server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  metrics.watchConnections(() => sockets.size);
  app.removeContentTypeParser("text/plain"); // which web pages may send without asking
  app.setValidatorCompiler<z.ZodType>(({ schema }) => (data) => {
    const { data: value, error } = schema.safeParse(data);
    return error ? { error: invalidRequest(error.issues) } : { value };
  });
  app.setSerializerCompiler(() => (data) => JSON.stringify(data)); // schemas of responses are for their description
  app.setErrorHandler((error, request, reply) => fail(error, request, reply));
  app.setNotFoundHandler((request, reply) => {
    fail(new ApiError(404, `there is nothing at ${request.method} ${request.url.slice(0, 256)}`), request, reply);
  });
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    if (settings.localNamesOnly) assertLocalName(request.headers.host);
  });
  app.addHook("onResponse", async (request, reply) => {
    const route = request.routeOptions.url ?? "none";
    metrics.answered(route, reply.statusCode, reply.elapsedTime);
    const { method, ip } = request;
    const milliseconds = Math.round(reply.elapsedTime);
    request.log.info({ method, route, status: reply.statusCode, milliseconds, ip }, "request");
  });
  return app;
}

function fail(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const told = apiErrorOf(error);
  if (told.statusCode >= 500) request.log.error({ err: told.cause ?? told }, told.message);
  if (told.retryAfter !== undefined) reply.header("retry-after", told.retryAfter);
  if (told.statusCode === 401) reply.header("www-authenticate", "Bearer");
  void reply.code(told.statusCode).type("application/json").send(told.body);
}

/** What is no HTTP, or too long for a header, never becomes a request. */
function refuseUnread(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const [status, words] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? ([431, "the request's headers are too long"] as const)
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
        ? ([408, "the request took too long to come"] as const)
        : ([400, "this is no HTTP request"] as const);
  const body = JSON.stringify(new ApiError(status, words).body);
  const head = `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  socket.end(`${head}\r\nconnection: close\r\n\r\n${body}`);
}
