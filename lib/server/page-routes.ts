/**
 * The page at `/`, and the scripts it loads.
 *
 * Owns: their addresses and headers; which of the server's searches it offers. They say nothing that would need a key.
 * Must not know: what the page looks like.
 */
import type { FastifyPluginAsync } from "fastify";

import { askPage, askPagePolicy, assets } from "../page/ask-page.js";
import { usualGenerations } from "../scheduler/budget.js";
import { offeredSizes, offeredStrategies } from "./model-names.js";
import type { SearchEngine } from "./searches.js";
import type { ServerSettings } from "./settings.js";

interface Parts {
  readonly engine: SearchEngine;
  readonly settings: ServerSettings;
}

const headers = {
  "content-security-policy": `${askPagePolicy}; frame-ancestors 'none'`,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-cache",
};

export const pageRoutes: FastifyPluginAsync<Parts> = async (app, { engine, settings }) => {
  const sizes = offeredSizes(settings.branches);
  const page = askPage({
    strategies: offeredStrategies(engine.models.verifier !== undefined),
    budgets: sizes.length > 0 ? sizes : [settings.branches],
    usualBudget: usualGenerations,
    needsKey: settings.apiKeys.length > 0,
  });
  const schema = { hide: true };
  app.get("/", { schema }, (_, reply) => reply.headers(headers).type("text/html; charset=utf-8").send(page));
  for (const [path, read] of assets) {
    app.get(`/assets/${path}`, { schema }, async (_, reply) =>
      reply
        .headers(headers)
        .type("text/javascript; charset=utf-8")
        .send(await read()),
    );
  }
};
