/**
 * A hub on this machine: one repository, served as the real one serves it, with faults to order.
 *
 * Owns: the server. Must not know: what is tested.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const commit = "0123456789abcdef0123456789abcdef01234567";

export class Hub implements AsyncDisposable {
  /** Paths asked for. */
  readonly asked: string[] = [];
  /** Of files, of all answers together. */
  sent = 0;
  /** The connection breaks once after so many bytes of files. */
  breakAfter = Infinity;
  /** From there on nothing more is sent, until it is set back. */
  holdAfter = Infinity;
  /** What the listing says is not what is sent. */
  corrupt = false;
  status = 200;
  private readonly server = createServer((request, response) => this.answer(request, response));

  private constructor(private readonly files: Readonly<Record<string, Buffer>>) {}

  static async serve(files: Readonly<Record<string, Buffer>>): Promise<Hub> {
    const hub = new Hub(files);
    await new Promise<void>((resolve) => hub.server.listen(0, "127.0.0.1", resolve));
    return hub;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.server.listening) return;
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url!, this.endpoint);
    this.asked.push(pathname);
    const file = this.files[decodeURIComponent(pathname).replace(`/ann/tiny/resolve/${commit}/`, "")];
    if (this.status !== 200) response.writeHead(this.status).end();
    else if (pathname === "/api/models/ann/tiny/revision/main") response.end(JSON.stringify(this.listing()));
    else if (file === undefined) response.writeHead(404).end();
    else this.send(file, request.headers.range, response);
  }

  private listing(): object {
    const siblings = Object.entries(this.files).map(([rfilename, bytes]) => {
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      return { rfilename, size: bytes.length, ...(rfilename.endsWith(".gguf") && { lfs: { sha256 } }) };
    });
    return { sha: commit, siblings };
  }

  private send(file: Buffer, range: string | undefined, response: ServerResponse): void {
    const [, from = "0", to = file.length - 1] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? [];
    const bytes = Buffer.from(file.subarray(Number(from), Number(to) + 1));
    if (this.corrupt) bytes[0]! ^= 1;
    response.writeHead(range === undefined ? 200 : 206, {
      ...{ "accept-ranges": "bytes", "content-length": bytes.length },
      ...(range !== undefined && { "content-range": `bytes ${from}-${to}/${file.length}` }),
    });
    const piece = 1 << 16;
    const next = (at: number): void => {
      if (response.destroyed) return;
      if (this.sent >= this.holdAfter) return void setTimeout(next, 20, at);
      if (this.sent >= this.breakAfter) {
        this.breakAfter = Infinity;
        return void response.destroy();
      }
      if (at >= bytes.length) return void response.end();
      if (range !== undefined) this.sent += Math.min(piece, bytes.length - at);
      response.write(bytes.subarray(at, at + piece), () => next(at + piece));
    };
    next(0);
  }
}
