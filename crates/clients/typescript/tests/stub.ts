/** A stub that answers as it is told. */

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { Nearline, type Options } from "../src/index.js";

/** An answer; `null` closes the connection without one. Milliseconds pass between head and body; status 0: then the connection
 * is closed. */
export type Answer = { status: number; headers?: Record<string, string>; body: string; heldMs?: number } | null;

export interface Stub {
  requests: { url: string; headers: IncomingHttpHeaders; body: string; at: number }[];
  client(options?: Options): Nearline;
  close(): void;
}

/** Gives its answers in turn. */
export async function stub(...answers: Answer[]): Promise<Stub> {
  const requests: Stub["requests"] = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    requests.push({ url: request.url ?? "", headers: request.headers, body, at: performance.now() });
    const answer = answers.shift() ?? null;
    if (!answer) return request.socket.destroy();
    const held = new Promise((resolve) => setTimeout(resolve, answer.heldMs ?? 0));
    if (answer.status === 0) return held.then(() => request.socket.destroy());
    response.writeHead(answer.status, { ...answer.headers, connection: "close" }).flushHeaders();
    await held;
    response.end(answer.body);
    return undefined;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    requests,
    client: (options) => new Nearline(url, { ...options, retry: { firstMs: 10, ...options?.retry } }),
    close: () => server.close(),
  };
}

/** A problem document. */
export function problem(status: number, code: string, headers: Record<string, string> = {}, more: object = {}): Answer {
  const body = JSON.stringify({ type: `/problems/${code}`, title: code, status, detail: "of the stub", ...more });
  return { status, headers: { "content-type": "application/problem+json", ...headers }, body };
}

/** What became of events. */
export function good(...results: object[]): Answer {
  const body = JSON.stringify({ accepted: 0, duplicates: 0, conflicts: 0, rejected: 0, results });
  return { status: 200, headers: { "content-type": "application/json" }, body };
}
