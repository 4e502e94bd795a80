/**
 * Who may ask.
 *
 * Owns: API keys, and which names a server on the loopback answers to.
 * Must not know: what is asked.
 */
import { createHash, timingSafeEqual } from "node:crypto";

import { ApiError } from "./api-error.js";

const digest = (text: string) => createHash("sha256").update(text).digest();

/**
 * Tells the client of a request by its Authorization header: by its key, or by its address where there are no keys. How long
 * it takes says nothing of the keys.
 */
export function accessBy(keys: readonly string[]): (authorization: string | undefined, address: string) => string {
  const digests = keys.map(digest);
  return (authorization = "", address) => {
    if (digests.length === 0) return address;
    const given = digest(/^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? "");
    const matches = digests.map((key) => timingSafeEqual(key, given));
    const key = matches.indexOf(true);
    if (key >= 0) return `key ${key + 1}`;
    const line = "the API key is missing or wrong: send it as Authorization: Bearer KEY";
    throw new ApiError(401, line, { code: "invalid_api_key" });
  };
}

/**
 * A page from elsewhere can make a browser take its own name for this machine; then the name is all that gives it away.
 * @throws {ApiError} 403
 */
export function assertLocalName(host = ""): void {
  const name = host.replace(/:\d+$/, "").toLowerCase();
  if (["localhost", "127.0.0.1", "[::1]"].includes(name)) return;
  throw new ApiError(403, "this server is for its own machine: ask it as localhost", { code: "wrong_host" });
}
