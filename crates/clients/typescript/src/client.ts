/** The client. */

import createClient, { type Client } from "openapi-fetch";
import type { components, operations, paths } from "./generated.js";
import { read } from "./live.js";
import { type Failure, failureOf, NearlineError, Refused, unanswered } from "./problems.js";
import { batchesOf, type Entry, entriesOf, type Event, type Outcome, outcomeOf, Published, Unpublished } from "./publishing.js";
import { Attempts, type Retry } from "./retrying.js";

type Schemas = components["schemas"];
type Parameters<Operation extends keyof operations> = NonNullable<operations[Operation]["parameters"]["query"]>;
/** A query as the API has it, but that `exclude` is a list. */
type Told<Operation extends keyof operations> = Omit<Parameters<Operation>, "exclude"> & { exclude?: readonly string[] };

/** What recommendations are asked with. `after` is a position that publishing gave for the same member: the answer
 * reflects at least that event. `cursor` is `next` of the page before. */
export type Query = Told<"recommend">;
/** What home pages are asked with. */
export type HomeQuery = Told<"read_home">;
/** What live rows are asked with. */
export type LiveQuery = Told<"follow_recommendations">;
/** What trending titles are asked with. */
export type TitlesQuery = Parameters<"list_trending">;

/** How the client goes about it. */
export interface Options {
  /** What `nearline key new` printed, where the engine asks for keys. */
  key?: string;
  /** How long calls go on. */
  retry?: Retry;
  /** Milliseconds of one attempt; 10,000 if not given. */
  timeoutMs?: number;
  /** Another `fetch`, such as one with a proxy. */
  fetch?: (request: Request) => Promise<Response>;
}

/** What is given with one call. */
export interface Call {
  /** Another deadline than the client's. */
  deadlineMs?: number;
  /** Ends the call. */
  signal?: AbortSignal;
}

/** A client of one engine, or of the address that stands before several. Every call throws `Refused` or `Unavailable`
 * (publishing: `Unpublished`). */
export class Nearline {
  /** Every route of the API, typed, with the key, without retry. */
  readonly api: Client<paths>;
  readonly #checked: Client<paths>;
  readonly #authorization: string | undefined;
  readonly #fetch: (request: Request) => Promise<Response>;
  readonly #retry: Retry;
  readonly #timeoutMs: number;

  /** `url` is the public listener's, such as `http://127.0.0.1:7700`. */
  constructor(url: string, options: Options = {}) {
    const { username, password } = new URL(url);
    if (username || password) throw new TypeError("the URL holds a user or a password; give a key instead");
    const key = options.key?.trim();
    if (key !== undefined && !/^[!-~]+$/.test(key)) {
      throw new TypeError("the key is not one that `nearline key new` made (it is not shown here)");
    }
    this.#authorization = key && `Bearer ${key}`;
    this.#fetch = options.fetch ?? ((request) => fetch(request));
    this.#retry = options.retry ?? {};
    this.#timeoutMs = options.timeoutMs ?? 10_000;
    new Attempts(this.#retry);
    // The key is put in at the last moment: nothing but this closure has it. A redirect is no answer of this API.
    const common = { baseUrl: url, redirect: "manual" } as const;
    this.api = createClient<paths>({ ...common, fetch: (request) => this.#send(request) });
    this.#checked = createClient<paths>({ ...common, fetch: (request) => this.#sendChecked(request) });
  }

  /**
   * Publishes one event or many, and says what became of each, in the order given.
   *
   * Batch after batch, each once the one before is acknowledged. What was not acknowledged is sent again under the same ids,
   * so that it counts once. A rejected event does not stop the others, and is no error: look at `of("rejected")`. Throws
   * `Unpublished` if the deadline ends first, or all is refused; a `TypeError`, before anything is sent, for what is no JSON.
   */
  async publish(events: Event | Iterable<Event>, call: Call = {}): Promise<Published> {
    const entries = entriesOf(Symbol.iterator in events ? events : [events]);
    const known: Outcome[] = entries.map((entry) => outcomeOf(entry, { status: "unavailable" }));
    const attempts = this.#attempts(call);
    try {
      for (const batch of batchesOf(entries)) await this.#publishBatch(batch, known, attempts, call.signal);
    } catch (error) {
      throw new Unpublished(new Published(known), error);
    }
    return new Published(known);
  }

  /** Titles for a member, best first. */
  async recommendations(member: string, query: Query = {}, call: Call = {}): Promise<Schemas["RecommendationsAnswer"]> {
    checkId(member);
    const params = { path: { id: member }, query: joined(query) };
    return this.#ask(call, (signal) => this.#checked.GET("/v1/members/{id}/recommendations", { params, signal }));
  }

  /** A page of rows for a member, no title twice. */
  async home(member: string, query: HomeQuery = {}, call: Call = {}): Promise<Schemas["HomeAnswer"]> {
    checkId(member);
    const params = { path: { id: member }, query: joined(query) };
    return this.#ask(call, (signal) => this.#checked.GET("/v1/members/{id}/home", { params, signal }));
  }

  /** Titles that you have, in the order in which a member is likely to want them. Asking changes nothing. */
  async order(member: string, titles: string[], query: Parameters<"order"> = {}, call: Call = {}): Promise<Schemas["OrderAnswer"]> {
    checkId(member);
    const params = { path: { id: member }, query };
    const body = { titles };
    return this.#ask(call, (signal) => this.#checked.POST("/v1/members/{id}/order", { params, body, signal }));
  }

  /** Titles like a title; `by: "next"`: those that are watched after it. */
  async similar(title: string, query: Parameters<"list_similar"> = {}, call: Call = {}): Promise<Schemas["SimilarAnswer"]> {
    checkId(title);
    const params = { path: { id: title }, query };
    return this.#ask(call, (signal) => this.#checked.GET("/v1/titles/{id}/similar", { params, signal }));
  }

  /** Titles by how they do just now. */
  trending(query: TitlesQuery = {}, call: Call = {}): Promise<Schemas["TrendingAnswer"]> {
    return this.#ask(call, (signal) => this.#checked.GET("/v1/trending", { params: { query }, signal }));
  }

  /** Erases a member: publishes `forget`. Erasing twice is harmless, so this is tried again as well. */
  async erase(member: string, call: Call = {}): Promise<Schemas["ErasureAnswer"]> {
    checkId(member);
    const params = { path: { id: member } };
    return this.#ask(call, (signal) => this.#checked.DELETE("/v1/members/{id}", { params, signal }));
  }

  /**
   * A member's row, again whenever it changes, without end: leave the loop, or abort the signal, which ends it quietly.
   *
   * A connection that ends is opened again where it ended. Throws `Unavailable` if that fails until the deadline, which counts
   * from the end of the connection.
   */
  async *live(member: string, query: LiveQuery = {}, call: Call = {}): AsyncGenerator<Schemas["RecommendationsAnswer"]> {
    const { signal } = call;
    let last: string | undefined;
    const attempts = this.#attempts(call);
    checkId(member);
    while (!signal?.aborted) {
      const silence = new Silence(this.#timeoutMs, signal);
      let failure: Failure = { detail: "the stream ended" };
      let opened: number | undefined;
      try {
        const rows = await this.#follow(member, query, last, silence);
        opened = performance.now();
        for await (const sent of read(rows)) {
          last = sent.id;
          if (sent.name !== "recommendations") continue;
          yield JSON.parse(sent.data) as Schemas["RecommendationsAnswer"];
          attempts.progressed();
        }
      } catch (error) {
        if (error instanceof NearlineError) throw error;
        failure = error instanceof Passing ? error.failure : unanswered(error);
      } finally {
        silence.end();
      }
      if (opened !== undefined) attempts.beginAnew(performance.now() - opened);
      try {
        await attempts.wait(failure);
      } catch (error) {
        if (!signal?.aborted) throw error;
      }
    }
  }

  async #follow(
    member: string,
    query: LiveQuery,
    last: string | undefined,
    silence: Silence,
  ): Promise<ReadableStream<Uint8Array>> {
    const header = last === undefined ? {} : { "Last-Event-ID": last };
    const params = { path: { id: member }, query: joined(query), header };
    const path = "/v1/members/{id}/recommendations/live";
    const { data } = await this.#checked.GET(path, { params, signal: silence.signal, parseAs: "stream" });
    if (!data) throw new NearlineError("an answer without a stream");
    return data.pipeThrough(silence.heard());
  }

  async #publishBatch(batch: Entry[], known: Outcome[], attempts: Attempts, signal: AbortSignal | undefined): Promise<void> {
    while (batch.length > 0) {
      const sent = batch;
      const body = sent.map(({ event }) => event);
      const bodySerializer = (): string => `[${sent.map(({ text }) => text).join(",")}]`;
      try {
        const post = (signal: AbortSignal) => this.#checked.POST("/v1/events", { body, bodySerializer, signal });
        const left = settle(batch, (await this.#once(attempts, signal, post)).results, known);
        if (left.length > 0) throw new NearlineError("200, but not with a result of each event");
        attempts.progressed();
        return;
      } catch (error) {
        if (error instanceof Refused && error.status === 413) {
          return this.#publishHalves(batch, error, known, attempts, signal);
        }
        if (!(error instanceof Passing)) throw error;
        const left = settle(batch, error.failure.problem?.["results"], known);
        if (left.length < batch.length) attempts.progressed();
        batch = left;
        await attempts.wait(error.failure);
      }
    }
  }

  /** A batch that the engine finds too large goes in halves; an event that is too large by itself is rejected. */
  async #publishHalves(
    batch: Entry[],
    refused: Refused,
    known: Outcome[],
    attempts: Attempts,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const middle = batch.length >> 1;
    const [first] = batch;
    if (middle === 0 && first) {
      known[first.place] = outcomeOf(first, { status: "rejected", reason: "too-large", detail: refused.message });
      return;
    }
    await this.#publishBatch(batch.slice(0, middle), known, attempts, signal);
    await this.#publishBatch(batch.slice(middle), known, attempts, signal);
  }

  async #ask<A>(call: Call, send: (signal: AbortSignal) => Promise<{ data?: A }>): Promise<A> {
    const attempts = this.#attempts(call);
    for (;;) {
      try {
        return await this.#once(attempts, call.signal, send);
      } catch (error) {
        if (!(error instanceof Passing)) throw error;
        await attempts.wait(error.failure);
      }
    }
  }

  /** One attempt. Throws `Passing` for what may pass by itself. */
  async #once<A>(
    attempts: Attempts,
    signal: AbortSignal | undefined,
    send: (signal: AbortSignal) => Promise<{ data?: A }>,
  ): Promise<A> {
    const timeout = AbortSignal.timeout(Math.ceil(Math.min(this.#timeoutMs, Math.max(attempts.left(), 1))));
    try {
      const { data } = await send(signal ? AbortSignal.any([timeout, signal]) : timeout);
      if (typeof data === "object" && data !== null) return data;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw new NearlineError("not an answer of this API: does the URL lead to the engine?");
  }

  #send(request: Request): Promise<Response> {
    if (this.#authorization) request.headers.set("authorization", this.#authorization);
    return this.#fetch(request);
  }

  /** Sends, and gives good answers alone: wholly received, but for streams. */
  async #sendChecked(request: Request): Promise<Response> {
    let answer: Response;
    let text: string | undefined;
    try {
      answer = await this.#send(request);
      const streams = answer.headers.get("content-type")?.startsWith("text/event-stream");
      if (answer.ok && !streams) text = await answer.text();
    } catch (error) {
      throw new Passing(unanswered(error));
    }
    if (!answer.ok) throw new Passing(await failureOf(answer));
    return text === undefined ? answer : new Response(text || null, { status: answer.status });
  }

  #attempts({ deadlineMs, signal }: Call): Attempts {
    return new Attempts(deadlineMs === undefined ? this.#retry : { ...this.#retry, deadlineMs }, signal);
  }
}

/** An attempt failed with what may pass by itself. */
class Passing extends Error {
  constructor(readonly failure: Failure) {
    super(failure.detail);
  }
}

/** Ends a stream that nothing comes from: the engine sends a comment each 15 seconds. */
class Silence {
  readonly #ended = new AbortController();
  readonly signal: AbortSignal;
  #timer: ReturnType<typeof setTimeout>;

  constructor(firstMs: number, signal: AbortSignal | undefined) {
    this.signal = signal ? AbortSignal.any([this.#ended.signal, signal]) : this.#ended.signal;
    this.#timer = setTimeout(() => this.end(), firstMs);
  }

  /** What is let through starts the clock anew. */
  heard(): TransformStream<Uint8Array, Uint8Array> {
    return new TransformStream({
      transform: (chunk, stream) => {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.end(), 60_000);
        stream.enqueue(chunk);
      },
    });
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#ended.abort();
  }
}

/** Writes down what is known of a batch; what is left to send: all of it, where there is not a result of each. */
function settle(batch: Entry[], results: unknown, known: Outcome[]): Entry[] {
  if (!Array.isArray(results) || results.length !== batch.length) return batch;
  const outcomes = batch.map((entry, index) => outcomeOf(entry, results[index] as Schemas["EventResult"]));
  batch.forEach((entry, index) => (known[entry.place] = outcomes[index] as Outcome));
  return batch.filter((_, index) => outcomes[index]?.status === "unavailable");
}

/** Refuses what an address cannot name: as a part of a path it means another place. */
function checkId(text: string): void {
  if (["", ".", ".."].includes(text)) throw new TypeError(`${JSON.stringify(text)} is no id of a member or a title`);
}

function joined<Q extends { exclude?: readonly string[] }>({ exclude, ...query }: Q): Omit<Q, "exclude"> & { exclude?: string } {
  return exclude && exclude.length > 0 ? { ...query, exclude: exclude.join(",") } : query;
}
