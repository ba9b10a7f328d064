// Faults on purpose: what each should look like, how long it lasted, and the proof that nothing was lost.
import { html, signal, ask, duration, newEvent, number, partition, partitionOf, pause } from "../ui.js";
import { overview, partitions } from "../feed.js";

/**
 * @typedef {import("../types").Document<"PartitionDocument">} Partition
 * @typedef {"panic" | "hang" | "reader-stall" | "poison"} Fault
 * @typedef {{source: string, ms: number}} Seen
 * @typedef {{events: number, rejected: number, members: number, done: number, of: number, started: number, differs: string[], ms: number}} Sum
 */

const target = signal(0);
/** The fault under way or the last one: its name, milliseconds, and where answers came from.
 * @type {import("../types").Signal<{name: Fault, partition: number, ms: number, seen: Seen[], noticed: boolean, over: boolean} | null>} */
const watch = signal(null);
/** @type {import("../types").Signal<Sum | null>} */
const proof = signal(null);
const note = signal("");

const DEADLINE = 30000;
/**
 * Faults by name: title, what should be seen, what is sent, and the remediation by which the engine says that it noticed.
 * @type {Record<Fault, [string, string, (p: number) => object, (r: import("../types").Document<"RemediationDocument">) => boolean]>}
 */
const FAULTS = {
  panic: ["The actor panics", "Its state is thrown away and built anew. Answers come from the store for a moment, then they are live again.",
    (p) => ({ partition: p }), (r) => r.fault === "panicked"],
  hang: ["The actor blocks its thread", "Within a second the watchdog puts a replacement on another thread, under a higher epoch; the stuck one can do no harm.",
    (p) => ({ partition: p, seconds: 3 }), (r) => r.fault === "blocked" || r.fault === "hung"],
  "reader-stall": ["The reader brings nothing more", "Events wait in the log until the watchdog sees it, and reads anew. Answers stay live, and old for that long.",
    (p) => ({ partition: p }), (r) => r.fault === "reader-stalled"],
  poison: ["An event that crashes its partition", "Three crashes, then it is stepped over and put into the dead letters. Its neighbours are folded.",
    () => ({ pattern: "console-bait*" }), (r) => r.action === "quarantine"],
};

const NAMES = /** @type {Fault[]} */ (Object.keys(FAULTS));

/** Partitions of the log. */
const count = () => overview.value?.partitions ?? 1;

/** A member of the partition, made up.
 * @param {number} wanted */
function memberOf(wanted) {
  for (let i = 0; ; i++) if (partitionOf(`probe${i}`, count()) === wanted) return `probe${i}`;
}

/**
 * @param {string} member
 * @param {string} [id]
 */
async function publish(member, id) {
  const event = newEvent("play", member, "t1");
  const [result] = (await ask("v1/events", "POST", [id ? { ...event, id } : event])).results;
  return result;
}

/** The newest remediations of a partition that came behind the one of an id, newest first.
 * @param {number} p
 * @param {string} last */
const mended = async (p, last) => (await ask("admin/remediations?limit=200")).filter((r) => r.partition === p && r.id > last);

/**
 * Whether the partition is over a fault, once the engine has noticed it: it is mended, live, and as far as what was published since.
 * What an answer says is no sign: until the fault happens all of them are live.
 * @param {import("../types").Document<"RemediationDocument">} noticed
 * @param {number} position
 */
async function isOver(noticed, position) {
  const at = (await ask("admin/partitions"))[noticed.partition];
  return noticed.after !== null && at.state === "live" && at.folded >= position;
}

/** Asks for the member again and again, from before the fault on, and notes where answers come from.
 * @param {string} member
 * @param {{on: boolean, started: number, asked: number, seen: Seen[]}} probing */
async function probe(member, probing) {
  while (probing.on) {
    const asked = performance.now();
    try {
      const { source } = await ask(`v1/members/${member}/recommendations?limit=1`);
      probing.asked += 1;
      if (probing.seen.at(-1)?.source !== source) probing.seen.push({ source, ms: Math.max(0, asked - probing.started) });
    } catch (error) { note.value = error.message; }
    await pause(2);
  }
}

/** Makes a fault; while an actor is being built anew there is none to make it in.
 * @param {Fault} name
 * @param {object} body */
async function inject(name, body) {
  for (let tries = 1; ; tries++) {
    try { return await ask(`admin/chaos/${name}`, "POST", body); } catch (error) { if (tries === 20 || [401, 403, 404].includes(error.status)) throw error; }
    await pause(100);
  }
}

/**
 * Makes a fault, and watches until it is over. Where the actor was replaced meanwhile for something else, the fault went with it and
 * is made again: a machine that stands still for a second is not what is tried here.
 * @param {Fault} name
 */
async function make(name) {
  const p = target.value;
  const member = memberOf(p);
  [note.value, proof.value] = ["", null];
  /** @type {{on: boolean, started: number, asked: number, seen: Seen[]}} */
  const probing = { on: true, started: performance.now(), asked: 0, seen: [] };
  const { seen } = probing;
  try {
    const [, , body, isIt] = FAULTS[name];
    let last = (await ask("admin/remediations?limit=1"))[0]?.id ?? "";
    probe(member, probing);
    await pause(50);
    const started = performance.now();
    probing.started = started;
    watch.value = { name, partition: p, ms: 0, seen, noticed: false, over: false };
    await inject(name, body(p));
    const { position } = await publish(member, name === "poison" ? `console-bait-${Date.now()}` : undefined);
    for (;;) {
      const found = await mended(p, last);
      const noticed = found.find(isIt);
      // Over for callers, too: the last of them was answered live.
      const over = !!noticed && (await isOver(noticed, position ?? 0)) && seen.at(-1)?.source === "live";
      const ms = performance.now() - started;
      watch.value = { name, partition: p, ms, seen, noticed: !!noticed, over };
      if (over) break;
      if (ms > DEADLINE) throw new Error(`not over after ${duration(DEADLINE)}: see Remediations`);
      if (!noticed && name !== "poison" && found[0]?.after) {
        last = found[0].id;
        await inject(name, body(p));
      }
      await pause(15);
    }
    if (name === "poison") await ask("admin/chaos/poison", "DELETE");
  } catch (error) { note.value = error.message; } finally { probing.on = false; }
}

async function prove() {
  note.value = "";
  /** @type {Sum} */
  const sum = { events: 0, rejected: 0, members: 0, done: 0, of: count(), started: performance.now(), differs: [], ms: 0 };
  try {
    for (let p = 0; p < sum.of; p++) {
      if (partitions.value[p]?.state === "elsewhere") { sum.done += 1; continue; }
      const report = await ask(`admin/partitions/${p}/verify`, "POST");
      sum.events += report.events;
      sum.rejected += report.rejected;
      sum.members += report.members;
      sum.done += 1;
      sum.differs.push(...report.mismatches);
      proof.value = { ...sum, ms: performance.now() - sum.started };
    }
  } catch (error) { note.value = error.message; }
}

/** @param {{p: Sum}} of */
function Proof({ p }) {
  if (p.done < p.of) return html`<p role="status">Folding the log again: ${p.done} of ${p.of} partitions…</p>`;
  if (p.differs.length) return html`<p role="status" class="proof state failed">State differs from the fold of the log: ${p.differs[0]}</p>`;
  return html`<p role="status" class="proof">${number(p.events)} committed = ${number(p.events - p.rejected)} folded + ${number(p.rejected)} refused: <b>lost 0, doubled 0</b>. ${number(p.members)} members are byte for byte what the log says. <small>(${duration(p.ms)})</small></p>`;
}

export function Chaos() {
  const seen = watch.value;
  return html`
    <p class="tools"><label>Partition <select value=${target.value} onChange=${(event) => { target.value = Number(event.target.value); }}>
      ${Array.from({ length: count() }, (_, p) => html`<option key=${p} value=${p}>${partition(p)}</option>`)}</select></label> <output>${note.value}</output></p>
    <ul class="faults">${NAMES.map((name) => html`<li key=${name}>
      <h2>${FAULTS[name][0]}</h2><p>${FAULTS[name][1]}</p><button class="danger" disabled=${seen && !seen.over && !note.value} onClick=${() => make(name)}>Break ${partition(target.value)}: ${name}</button></li>`)}</ul>
    ${seen && html`<section aria-labelledby="seen"><h2 id="seen">${seen.name} of ${partition(seen.partition)}</h2>
      <p role="status" class="stopwatch">${seen.over ? "over after" : seen.noticed ? "noticed, under way for" : "not noticed yet, for"} <b>${duration(seen.ms)}</b></p>
      <p>Answers: ${seen.seen.map((one, i) => html`<span key=${i}>${i ? " → " : ""}<b>${one.source}</b>${i ? html` <small>at ${duration(one.ms)}</small>` : ""}</span>`)}</p></section>`}
    <section aria-labelledby="proof"><h2 id="proof">Nothing lost, nothing doubled</h2>
      <p><button onClick=${prove} disabled=${proof.value && proof.value.done < proof.value.of && !note.value}>Prove it</button> <span class="note">folds the whole log again, and compares every member's stored bytes</span></p>
      ${proof.value && html`<${Proof} p=${proof.value} />`}</section>`;
}
