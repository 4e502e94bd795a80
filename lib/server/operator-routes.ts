/**
 * Routes for whoever runs the server.
 *
 * Owns: health, readiness, metrics, the OpenAPI description. Must not know: searches' insides.
 */
import type { FastifyPluginAsync } from "fastify";

import type { Metrics } from "./metrics.js";
import { health } from "./response-schemas.js";
import type { Searches } from "./searches.js";

interface Parts {
  readonly searches: Searches;
  readonly metrics: Metrics;
  readonly client: (authorization: string | undefined, address: string) => string;
}

export const operatorRoutes: FastifyPluginAsync<Parts> = async (app, { searches, metrics, client }) => {
  const tags = ["operators"];
  app.get("/health", { schema: { tags, summary: "The process answers", response: { 200: health } } }, () => ({
    status: "ok",
  }));
  const ready = { tags, summary: "Searches are welcome", response: { 200: health, 503: health } };
  app.get("/ready", { schema: ready }, (_, reply) => {
    const { unready } = searches;
    return reply.code(unready === null ? 200 : 503).send({ status: unready ?? "ready" });
  });
  app.get("/metrics", { schema: { tags, summary: "For Prometheus" } }, async (request, reply) => {
    client(request.headers.authorization, request.ip);
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
};
