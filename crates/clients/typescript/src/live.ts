/** Server-sent events, as far as live rows need them. */

/** One event: its name, its id, its data. */
export interface Sent {
  name: string;
  id: string | undefined;
  data: string;
}

/** The events of a stream. Comments are left out, and so is an event that the stream's end cuts off. */
export async function* read(body: ReadableStream<Uint8Array>): AsyncGenerator<Sent> {
  let name = "message";
  let id: string | undefined;
  let data: string[] = [];
  for await (const line of lines(body)) {
    if (line === "") {
      if (data.length > 0) yield { name, id, data: data.join("\n") };
      name = "message";
      data = [];
      continue;
    }
    const colon = line.indexOf(":");
    const key = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (key === "event") name = value;
    else if (key === "id") id = value;
    else if (key === "data") data.push(value);
  }
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) yield part.replace(/\r$/, "");
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}
