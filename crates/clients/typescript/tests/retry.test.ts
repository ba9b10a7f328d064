/** Against a stub: when it is tried again, with what, and when no more. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { type Event, Nearline, Refused, Unavailable, Unpublished } from "../src/index.js";
import { type Answer, good, problem, type Stub, stub } from "./stub.js";

const EVENTS: Event[] = [0, 1, 2].map((number) => ({
  id: `e${number}`,
  type: "play",
  member: "ana",
  title: "t1",
  at: "2026-03-01T20:15:00Z",
}));
const KEY = "nl_QUITE-A-SECRET-KEY-000000000000000000000000000";
const ROW = JSON.stringify({ recommendation_id: "r", member: "ana", source: "live", position: 9, titles: [] });
const AT_ONCE = { "retry-after": "0" };

function accepted(position: number): object {
  return { status: "accepted", partition: 1, position };
}

function on(name: string, answers: Answer[], run: (stubbed: Stub) => Promise<void>): void {
  test(name, async () => {
    const stubbed = await stub(...answers);
    try {
      await run(stubbed);
    } finally {
      stubbed.close();
    }
  });
}

const away = problem(503, "log-unavailable", AT_ONCE);
on("two 503 and then the same bytes are accepted", [away, away, good(accepted(5), accepted(6), accepted(7))], async (stubbed) => {
  const published = await stubbed.client().publish(EVENTS);
  assert.deepEqual(published.outcomes.map(({ position }) => position), [5, 6, 7]);
  assert.equal(published.position("ana"), 7);
  assert.equal(stubbed.requests.length, 3);
  assert.equal(new Set(stubbed.requests.map(({ body }) => body)).size, 1);
});

const some = { results: [accepted(5), { status: "unavailable" }, { status: "rejected", reason: "r", detail: "d" }] };
const rest = good({ status: "duplicate", position: 6 });
on("only what is not acknowledged is sent again", [problem(503, "log-unavailable", AT_ONCE, some), rest], async (stubbed) => {
  const published = await stubbed.client().publish(EVENTS);
  assert.deepEqual(published.outcomes.map(({ status }) => status), ["accepted", "duplicate", "rejected"]);
  const sent = stubbed.requests.map(({ body }) => (JSON.parse(body) as Event[]).map(({ id }) => id));
  assert.deepEqual(sent, [["e0", "e1", "e2"], ["e1"]]);
});

const gateway = { status: 502, body: "<html>bad gateway</html>" };
on("no answer and a page of a proxy are tried again", [null, gateway, good(accepted(5))], async (stubbed) => {
  const published = await stubbed.client().publish(EVENTS[0] as Event);
  assert.equal(published.outcomes[0]?.status, "accepted");
  assert.equal(stubbed.requests.length, 3);
});

for (const status of [429, 503]) {
  on(`Retry-After of a ${status} is waited for`, [problem(status, "later", { "retry-after": "1" }), good(accepted(5))], async (stubbed) => {
    await stubbed.client().publish(EVENTS[0] as Event);
    const [first, second] = stubbed.requests;
    assert.ok(first && second && second.at - first.at >= 1000);
  });
}

const much = problem(429, "too-many-requests", { "retry-after": "60" });
on("what is to be tried after the deadline is given up at once", [much], async (stubbed) => {
  const start = performance.now();
  await assert.rejects(stubbed.client().publish(EVENTS, { deadlineMs: 5000 }), (error) => {
    assert.ok(error instanceof Unpublished && error.cause instanceof Unavailable && error.cause.status === 429);
    return error.published.of("unavailable").length === 3;
  });
  assert.ok(performance.now() - start < 2000);
});

on("what is refused is not tried again", [problem(403, "scope-missing")], async (stubbed) => {
  await assert.rejects(stubbed.client().recommendations("ana"), (error) => error instanceof Refused && error.code === "scope-missing");
  assert.equal(stubbed.requests.length, 1);
});

const large = problem(413, "body-too-large");
on("a batch too large goes in halves, an event too large alone", [large, good(accepted(5)), large, good(accepted(6)), large], async (stubbed) => {
  const published = await stubbed.client().publish(EVENTS);
  assert.deepEqual(published.outcomes.map(({ status }) => status), ["accepted", "accepted", "rejected"]);
  assert.equal(published.outcomes[2]?.reason, "too-large");
});

const page = { status: 200, headers: { "content-type": "text/html" }, body: "<html>hello</html>" };
on("an answer that is not the engine's is no acknowledgement", [page, good(accepted(5))], async (stubbed) => {
  await assert.rejects(stubbed.client().publish(EVENTS), /does the URL lead to the engine/);
  await assert.rejects(stubbed.client().publish(EVENTS), /not with a result of each event/);
});

on("what is no JSON is told before anything is sent", [], async (stubbed) => {
  await assert.rejects(stubbed.client().publish([{ ...(EVENTS[0] as Event), value: Number.NaN }]), TypeError);
  assert.equal(stubbed.requests.length, 0);
});

const behind = problem(503, "position-not-reached", AT_ONCE);
on("a query waits for its position", [behind, { status: 200, body: ROW }], async (stubbed) => {
  const answer = await stubbed.client().recommendations("ana", { after: 9, exclude: ["t1", "t2"], filter: "true", explain: true });
  assert.equal(answer.position, 9);
  const asked = Object.fromEntries(new URL(stubbed.requests[1]?.url ?? "", "http://stub").searchParams);
  assert.deepEqual(asked, { after: "9", exclude: "t1,t2", filter: "true", explain: "true" });
});

const body = `: keep\n\nevent: recommendations\nid: 9-1\ndata: ${ROW}\n\nevent: recommendations\ndata: cut`;
const stream = { status: 200, headers: { "content-type": "text/event-stream" }, body };
on("a live row goes on where its connection ended", [stream, stream], async (stubbed) => {
  const rows: number[] = [];
  for await (const row of stubbed.client().live("ana")) {
    rows.push(row.position);
    if (rows.length === 2) break;
  }
  assert.deepEqual(rows, [9, 9]);
  assert.equal(stubbed.requests[1]?.headers["last-event-id"], "9-1");
});

const quiet = { ...stream, body: ": keep\n\n", heldMs: 500 };
on("a live row that was quiet for longer than the deadline is opened again", [stream, quiet, null, stream], async (stubbed) => {
  const rows: number[] = [];
  for await (const row of stubbed.client({ retry: { firstMs: 10, deadlineMs: 200 } }).live("ana")) {
    rows.push(row.position);
    if (rows.length === 2) break;
  }
  assert.deepEqual(rows, [9, 9]);
  assert.equal(stubbed.requests.length, 4);
});

const silent = { status: 0, body: "", heldMs: 600 };
on("what the deadline cut off does not hide the answer before", [away, silent, away], async (stubbed) => {
  const brief = stubbed.client({ retry: { firstMs: 10, deadlineMs: 300 } });
  await assert.rejects(brief.trending(), { name: "Unavailable", attempts: 2, status: 503 });
  const slow = stubbed.client({ retry: { firstMs: 4_000, deadlineMs: 1_000 } });
  await assert.rejects(slow.trending(), { name: "Unavailable", attempts: 1, status: 503 });
});

on("what an address cannot name is refused", [], async (stubbed) => {
  const client = stubbed.client();
  for (const text of ["", ".", ".."]) {
    const asks = [client.recommendations(text), client.home(text), client.similar(text), client.erase(text)];
    for (const asked of [...asks, client.order(text, ["t1"]), client.live(text).next()]) {
      await assert.rejects(asked, { name: "TypeError", message: /is no id/ });
    }
  }
  assert.equal(stubbed.requests.length, 0);
});

on("a signal ends a call while it waits", [problem(503, "log-unavailable", { "retry-after": "20" })], async (stubbed) => {
  const controller = new AbortController();
  const asked = stubbed.client().recommendations("ana", {}, { signal: controller.signal });
  setTimeout(() => controller.abort(), 100);
  await assert.rejects(asked, { name: "AbortError" });
});

on("the key is shown to the engine and to nobody else", [away, problem(401, "key-unknown")], async (stubbed) => {
  const client = stubbed.client({ key: `${KEY}\n` });
  await assert.rejects(client.publish(EVENTS), (error) => {
    assert.equal(stubbed.requests[0]?.headers.authorization, `Bearer ${KEY}`);
    const told = inspect(client, { depth: 9, showHidden: true }) + JSON.stringify(client) + inspect(error, { depth: 9 });
    return told.includes("key-unknown") && !told.includes(KEY);
  });
});

test("what is no key is refused without being shown", () => {
  for (const key of ["", " ", "nl_a\nnl_b", "nl_ä"]) {
    const made = () => new Nearline("http://127.0.0.1:7700", { key });
    assert.throws(made, (error) => error instanceof TypeError && (key.trim() === "" || !error.message.includes(key)));
  }
});
