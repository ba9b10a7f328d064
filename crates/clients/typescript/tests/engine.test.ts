/** Against a real engine: what is published is what is answered. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Event, Nearline, Refused, Unavailable, Unpublished } from "../src/index.js";

const url = process.env["NEARLINE_URL"] ?? assert.fail("NEARLINE_URL is not set");
const key = process.env["NEARLINE_KEY"] ?? assert.fail("NEARLINE_KEY is not set");
const engine = new Nearline(url, { key });
let members = 0;

/** A member that no other test has, in this run or another. */
function somebody(): string {
  members += 1;
  return `ts-${process.pid}-${Date.now()}-${members}`;
}

function play(id: string, member: string, title = "t1"): Event {
  return { id, type: "play", member, title, at: new Date().toISOString() };
}

test("a published event is read back at its position", async () => {
  const member = somebody();
  const published = await engine.publish(play("e1", member, "t7"));
  assert.deepEqual(published.outcomes.map(({ status }) => status), ["accepted"]);
  const after = published.position(member) ?? assert.fail();
  const answer = await engine.recommendations(member, { after, limit: 5 });
  assert.ok(answer.position >= after);
  assert.notEqual(answer.source, "popular");
  assert.ok((await engine.home(member, { after, rows: 3 })).position >= after);
});

test("the same event twice is a duplicate at the same position", async () => {
  const event = play("e1", somebody());
  const [first] = (await engine.publish(event)).outcomes;
  const [again] = (await engine.publish(event)).outcomes;
  assert.deepEqual([first?.status, again?.status], ["accepted", "duplicate"]);
  assert.equal(first?.position, again?.position);
});

test("a rejected event does not stop the others", async () => {
  const member = somebody();
  const broken: Event = { ...play("e2", member), type: "progress" };
  const published = await engine.publish([play("e1", member), broken, play("e3", member)]);
  assert.deepEqual(published.outcomes.map(({ status }) => status), ["accepted", "rejected", "accepted"]);
  assert.equal(published.of("rejected")[0]?.id, "e2");
  assert.match(published.of("rejected")[0]?.detail ?? "", /watched_s/);
});

test("another event under a used id is a conflict, and no position to wait for", async () => {
  const member = somebody();
  await engine.publish(play("e1", member));
  const other = await engine.publish(play("e1", member, "t9"));
  assert.equal(other.outcomes[0]?.status, "conflict");
  assert.equal(other.position(member), undefined);
});

test("many events go in batches and keep their order", async () => {
  const member = somebody();
  const events = Array.from({ length: 2500 }, (_, number) => play(`e${number}`, member, `t${number % 50}`));
  const published = await engine.publish(events);
  assert.deepEqual(published.outcomes.map(({ id }) => id), events.map(({ id }) => id));
  assert.equal(published.of("accepted").length, 2500);
  const positions = published.outcomes.map(({ position }) => position ?? 0);
  assert.deepEqual(positions, positions.toSorted((one, other) => one - other));
});

test("a position that the log does not have is refused at once", async () => {
  const asked = engine.recommendations(somebody(), { after: 2 ** 40 });
  await assert.rejects(asked, (error) => error instanceof Refused && error.code === "position-unknown");
});

test("titles are listed, and a filter that is wrong is refused", async () => {
  const member = somebody();
  await engine.publish(Array.from({ length: 30 }, (_, number) => play("e1", `${member}-${number}`, `t${number % 3}`)));
  assert.ok(Array.isArray((await engine.trending({ limit: 5, filter: "title.id != 't2'" })).titles));
  assert.ok(Array.isArray((await engine.similar("t1", { by: "next", limit: 5 })).titles));
  assert.equal((await engine.order("m1", ["t2", "t1", "t2"])).titles.length, 2);
  const wrong = engine.trending({ filter: "title.nothing == 1" });
  await assert.rejects(wrong, (error) => error instanceof Refused && error.status === 400 && error.code === "invalid-expression");
});

test("a member is erased", async () => {
  const member = somebody();
  await engine.publish(play("e1", member));
  const { position } = await engine.erase(member);
  assert.ok((await engine.recommendations(member, { after: position })).position >= position);
});

test("a live row changes when its member plays, and ends with its signal", async () => {
  const member = somebody();
  const others = [0, 1, 2].flatMap((number) => ["t1", "t2"].map((title) => play(title, `${member}-${number}`, title)));
  await engine.publish(others);
  const controller = new AbortController();
  let position: number | undefined;
  const ids = new Set<string>();
  for await (const row of engine.live(member, { limit: 5 }, { signal: controller.signal })) {
    ids.add(row.recommendation_id);
    position ??= (await engine.publish(play("e1", member))).position(member);
    if (row.position >= (position ?? Infinity)) controller.abort();
  }
  assert.ok(ids.size >= 2);
});

for (const [stranger, code] of [
  [new Nearline(url), "key-missing"],
  [new Nearline(url, { key: `nl_${"A".repeat(43)}` }), "key-unknown"],
] as const) {
  test(`${code}: all is refused`, async () => {
    const is = (error: unknown): boolean => error instanceof Refused && error.code === code;
    await assert.rejects(stranger.recommendations("ana"), is);
    await assert.rejects(stranger.publish(play("e1", somebody())), (error) => error instanceof Unpublished && is(error.cause));
  });
}

test("an engine that is not there is given up at the deadline", async () => {
  const nobody = new Nearline("http://127.0.0.1:9", { retry: { deadlineMs: 300 } });
  await assert.rejects(nobody.recommendations("ana"), (error) => error instanceof Unavailable && error.status === undefined);
});
