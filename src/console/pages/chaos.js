// Faults on purpose: what each should look like, how long it lasted, and the proof that nothing was lost.
import { html, signal, ask, duration, newEvent, number, partition, partitionOf, pause } from "../ui.js";
import { overview, partitions } from "../feed.js";

const target = signal(0);
/** The fault under way or the last one: its name, milliseconds, and where answers came from. */
const watch = signal(null);
const proof = signal(null);
const note = signal("");

const DEADLINE = 30000;
const FAULTS = {
  panic: ["The actor panics", "Its state is thrown away and built anew. Answers come from the store for a moment, then they are live again.", (p) => ["panic", { partition: p }]],
  hang: ["The actor blocks its thread", "Within a second the watchdog puts a replacement on another thread, under a higher epoch; the stuck one can do no harm.", (p) => ["hang", { partition: p, seconds: 3 }]],
  "reader-stall": ["The reader brings nothing more", "Events wait in the log until the watchdog sees it, and reads anew. Answers stay live, and old for that long.", (p) => ["reader-stall", { partition: p }]],
  poison: ["An event that crashes its partition", "Three crashes, then it is stepped over and put into the dead letters. Its neighbours are folded.", () => ["poison", { pattern: "console-bait*" }]],
};

/** A member of the partition, made up. */
function memberOf(wanted) {
  for (let i = 0; ; i++) if (partitionOf(`probe${i}`, overview.value.partitions) === wanted) return `probe${i}`;
}

const now = async (p) => (await ask("admin/partitions"))[p];

async function publish(member, id) {
  const event = newEvent("play", member, "t1");
  const [result] = (await ask("v1/events", "POST", [id ? { ...event, id } : event])).results;
  return result;
}

/** Whether the partition is over the fault: live, under another epoch, and as far as what was published since. */
async function isOver(name, p, before, position) {
  const at = await now(p);
  const anew = name === "reader-stall" ? at.folded >= position : at.epoch > before.epoch && at.folded >= position;
  return at.state === "live" && anew;
}

/** Asks for the member again and again, from before the fault on, and notes where answers come from. */
async function probe(member, probing) {
  while (probing.on) {
    const asked = performance.now();
    try {
      const { source } = await ask(`v1/members/${member}/recommendations?limit=1`);
      probing.asked += 1;
      if (probing.seen.at(-1)?.source !== source) probing.seen.push({ source, ms: asked - probing.started });
    } catch (error) { note.value = error.message; }
    await pause(2);
  }
}

async function make(name) {
  const p = target.value;
  const member = memberOf(p);
  [note.value, proof.value] = ["", null];
  /** @type {{on: boolean, started: number, asked: number, seen: {source: string, ms: number}[]}} */
  const probing = { on: true, started: performance.now(), asked: 0, seen: [] };
  const { seen } = probing;
  try {
    const before = await now(p);
    probe(member, probing);
    await pause(50);
    const [route, body] = FAULTS[name][2](p);
    const started = performance.now();
    probing.started = started;
    watch.value = { name, partition: p, ms: 0, seen, over: false };
    await ask(`admin/chaos/${route}`, "POST", body);
    const { position } = await publish(member, name === "poison" ? `console-bait-${Date.now()}` : undefined);
    for (;;) {
      // Over for callers, too: the last of them was answered live.
      const over = (await isOver(name, p, before, position)) && seen.at(-1)?.source === "live";
      const ms = performance.now() - started;
      watch.value = { name, partition: p, ms, seen, over };
      if (over) break;
      if (ms > DEADLINE) throw new Error(`not over after ${duration(DEADLINE)}: see Remediations`);
      await pause(15);
    }
    if (name === "poison") await ask("admin/chaos/poison", "DELETE");
  } catch (error) { note.value = error.message; } finally { probing.on = false; }
}

async function prove() {
  note.value = "";
  /** @type {{events: number, rejected: number, members: number, done: number, of: number, started: number, differs: string[]}} */
  const sum = { events: 0, rejected: 0, members: 0, done: 0, of: overview.value.partitions, started: performance.now(), differs: [] };
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

function Proof({ p }) {
  if (p.done < p.of) return html`<p role="status">Folding the log again: ${p.done} of ${p.of} partitions…</p>`;
  if (p.differs.length) return html`<p role="status" class="proof state failed">State differs from the fold of the log: ${p.differs[0]}</p>`;
  return html`<p role="status" class="proof">${number(p.events)} acknowledged = ${number(p.events - p.rejected)} folded + ${number(p.rejected)} refused: <b>lost 0, doubled 0</b>.
    ${number(p.members)} members are byte for byte what the log says. <small>(${duration(p.ms)})</small></p>`;
}

export function Chaos() {
  const seen = watch.value;
  const count = overview.value?.partitions ?? 1;
  return html`
    <p class="tools"><label>Partition <select value=${target.value} onChange=${(event) => { target.value = Number(event.target.value); }}>
      ${Array.from({ length: count }, (_, p) => html`<option key=${p} value=${p}>${partition(p)}</option>`)}</select></label> <output>${note.value}</output></p>
    <ul class="faults">${Object.entries(FAULTS).map(([name, [title, expect]]) => html`<li key=${name}>
      <h2>${title}</h2><p>${expect}</p><button class="danger" disabled=${seen && !seen.over && !note.value} onClick=${() => make(name)}>Break ${partition(target.value)}: ${name}</button></li>`)}</ul>
    ${seen && html`<section aria-labelledby="seen"><h2 id="seen">${seen.name} of ${partition(seen.partition)}</h2>
      <p role="status" class="stopwatch">${seen.over ? "over after" : "under way for"} <b>${duration(seen.ms)}</b></p>
      <p>Answers: ${seen.seen.map((one, i) => html`<span key=${i}>${i ? " → " : ""}<b>${one.source}</b>${i ? html` <small>at ${duration(one.ms)}</small>` : ""}</span>`)}</p></section>`}
    <section aria-labelledby="proof"><h2 id="proof">Nothing lost, nothing doubled</h2>
      <p><button onClick=${prove} disabled=${proof.value && proof.value.done < proof.value.of && !note.value}>Prove it</button> <span class="note">folds the whole log again, and compares every member's stored bytes</span></p>
      ${proof.value && html`<${Proof} p=${proof.value} />`}</section>`;
}
