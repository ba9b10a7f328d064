// Every partition as a cell; what is known of one of them beside it.
import { changes, html, signal, ask, duration, number, partition, pinnable, State } from "../ui.js";
import { nodes, partitions } from "../feed.js";

const order = signal("number");
const shown = pinnable(partitions);
/** @typedef {import("../types").Document<"PartitionDocument">} Partition */

/** What came of giving partitions away.
 * @type {import("../types").Signal<Record<number, string>>} */
const given = signal({});
/** Reports of verifications by partition: a report, or an error's words, or "under way".
 * @type {import("../types").Signal<Record<number, import("../types").Document<"VerifyAnswer"> | string>>} */
const proofs = signal({});

/** @type {Record<string, (a: Partition, b: Partition) => number>} */
const ORDERS = {
  number: (a, b) => a.partition - b.partition,
  lag: (a, b) => b.lag_ms - a.lag_ms || a.partition - b.partition,
  node: (a, b) => String(a.owner).localeCompare(String(b.owner)) || a.partition - b.partition,
  state: (a, b) => a.state.localeCompare(b.state) || a.partition - b.partition,
};
const ADVICE = [
  ["panicked", "It is a bug: report it with the log line."],
  ["injected", "It was made on purpose."],
  ["unavailable", "Bring the store or the log back; nothing else is needed."],
  ["does not answer", "Bring the store or the log back; nothing else is needed."],
  ["thread", "A thread was stuck. More than once: take stacks of the process."],
];

const chosen = () => Number(location.hash.split("/")[2] ?? NaN);

/** @param {number} number */
async function verify(number) {
  /** @param {typeof proofs.value[number]} what */
  const put = (what) => { proofs.value = { ...proofs.value, [number]: what }; };
  put("under way");
  try { put(await ask(`admin/partitions/${number}/verify`, "POST")); } catch (error) { put(error.message); }
}

/** @param {number} number */
async function giveAway(number) {
  /** @param {string} what */
  const put = (what) => { given.value = { ...given.value, [number]: what }; };
  try {
    await ask(`admin/partitions/${number}/give-away`, "POST");
    put("another node takes it: it is elsewhere in a moment");
  } catch (error) { put(error.message); }
}

/** @param {{p: Partition}} of */
function GiveAway({ p }) {
  const alone = nodes.value?.others === 0;
  return html`<p><button onClick=${() => giveAway(p.partition)} disabled=${alone}>Give away</button>
    <output>${given.value[p.partition] ?? ""}</output> <span class="note">${alone ? "there is no other node to give it to" : "to another node, which goes on where this one stops"}</span></p>`;
}

/** @param {{p: Partition}} of */
function Bar({ p }) {
  const end = Math.max(1, p.log_last);
  /** @param {number} position */
  const at = (position) => ((600 * Math.min(position, end)) / end).toFixed(1);
  return html`<svg class="bar" viewBox="0 0 600 24" preserveAspectRatio="none" role="img"
    aria-label=${`The log ends at ${p.log_last}; folded up to ${p.folded}, committed up to ${p.committed}`}>
    <rect class="log" width="600" height="24" /><rect class="folded" width=${at(p.folded)} height="24" /><rect class="committed" width=${at(p.committed)} height="24" /></svg>`;
}

/** @param {{p: Partition}} of */
function Proof({ p }) {
  const proof = proofs.value[p.partition];
  const said = proof === "under way" ? "folding the log again…"
    : typeof proof === "string" ? proof
    : proof?.equal ? `equal: ${number(proof.events)} events folded again, ${number(proof.members)} members compared byte for byte, up to position ${proof.position}`
    : proof ? `DIFFERS: ${proof.mismatches[0]}` : "";
  return html`<button onClick=${() => verify(p.partition)} disabled=${proof === "under way"}>Verify bytes</button> <output>${said}</output>`;
}

/** @param {{p: Partition}} of */
function Drawer({ p }) {
  const advice = ADVICE.find(([sign]) => p.last_failure?.includes(sign))?.[1];
  return html`<section class="drawer" aria-labelledby="chosen"><h2 id="chosen">${partition(p.partition)} <${State} state=${p.state} /></h2>
    <${Bar} p=${p} />
    <dl>
      <dt>log ends at</dt><dd>${p.log_last}</dd><dt>folded</dt><dd>${p.folded}</dd><dt>committed</dt><dd>${p.committed}</dd>
      <dt>behind</dt><dd>${duration(p.lag_ms)}</dd><dt>owner</dt><dd>${p.owner ?? "nobody"}</dd><dt>epoch</dt><dd>${p.epoch}</dd>
      <dt>restarts</dt><dd>${p.restarts}</dd><dt>members in memory</dt><dd>${number(p.cached_members)}</dd>
    </dl>
    ${p.last_failure && html`<p><b>Failed last:</b> ${p.last_failure} ${advice && html`<em>${advice}</em>`}</p>`}
    ${changes.value && p.state !== "elsewhere" && html`<p><${Proof} p=${p} /></p><${GiveAway} p=${p} />`}</section>`;
}

export function Partitions() {
  const all = [...shown.value].filter(Boolean).sort(ORDERS[order.value]);
  const open = all.find((p) => p.partition === chosen());
  return html`
    <p class="tools"><label>Sorted by <select value=${order.value} onChange=${(event) => { order.value = event.target.value; }}>
      ${Object.keys(ORDERS).map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label> ${shown.box()}</p>
    <div class="beside">
      <ul class=${"grid" + (all.length > 200 ? " dense" : "")}>${all.map((p) => html`
        <li key=${p.partition}><a href=${"#/partitions/" + p.partition} class=${"cell " + p.state} aria-current=${p === open ? "true" : undefined}>
          <b>${partition(p.partition)}</b> <${State} state=${p.state} /> <small>${p.lag ? duration(p.lag_ms) + " behind" : ""}</small></a></li>`)}</ul>
      ${open ? html`<${Drawer} p=${open} />` : html`<p class="note">Choose a partition to see where it stands.</p>`}
    </div>`;
}
