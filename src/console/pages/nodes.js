// Who has which partitions, what the doctor says here, and the configuration as it is in effect.
import { TRY_AGAIN_MS, again, clock, eachVisit, html, locked, signal, ask, number, pinnable } from "../ui.js";
import { nodes, overview, partitions } from "../feed.js";

const shown = pinnable(nodes);
/** What the doctor found, or that it looks.
 * @type {import("../types").Signal<import("../types").Document<"FindingDocument">[] | "under way" | null>} */
const findings = signal(null);
/** When it had looked, Unix milliseconds. */
const examined = signal(0);
/** @type {import("../types").Signal<import("../types").Document<"ConfigurationDocument"> | null>} */
const configuration = signal(null);
const trouble = signal("");
const wanted = signal("");

async function load() {
  try {
    configuration.value = await ask("admin/configuration");
  } catch (error) {
    again(trouble, error);
    setTimeout(() => { if (location.hash.startsWith("#/nodes") && !locked.value) load(); }, TRY_AGAIN_MS);
  }
}

async function examine() {
  findings.value = "under way";
  try { [findings.value, examined.value] = [await ask("admin/doctor"), Date.now()]; } catch (error) { findings.value = null; again(trouble, error); }
}

/** @type {Record<string, string>} */
const ROLES = {
  keeps: "adds what every partition commits, and stores the snapshots of the sums",
  adds: "adds what every partition commits",
  follows: "takes over the stored snapshots of the sums: they are older here by an interval at most",
};

/** What the node does for the sums over all members, and up to where they reflect each partition.
 * @param {{sums: import("../types").Document<"SumsDocument">, committed: Map<number, number>}} of */
function Sums({ sums: { role, positions }, committed }) {
  /** @param {number} at */
  const behind = (at) => {
    const to = committed.get(at);
    return to === undefined ? "" : number(Math.max(0, to - positions[at]));
  };
  return html`<section aria-labelledby="sums"><h2 id="sums">Sums over all members</h2>
    <p>This node <b>${role}</b>: it ${ROLES[role] ?? ""}.</p>
    <div class="scroll" tabindex="0" role="region" aria-label="Positions of the sums"><table><thead><tr><th scope="col">partition</th><th scope="col">added up to</th><th scope="col">behind its commits</th></tr></thead>
      <tbody>${positions.map((position, at) => html`<tr key=${at}><th scope="row">p${String(at).padStart(2, "0")}</th><td>${number(position)}</td><td>${behind(at)}</td></tr>`)}</tbody></table></div></section>`;
}

/** @type {Record<import("../types").Document<"Verdict">, [string, string]>} */
const VERDICTS = { ok: ["live", "●"], warn: ["holding", "◐"], fail: ["failed", "■"] };

/** @param {{one: import("../types").Document<"FindingDocument">}} of */
const Found = ({ one }) => html`<tr><td><span class=${"state " + VERDICTS[one.verdict][0]}><span aria-hidden="true">${VERDICTS[one.verdict][1]}</span> ${one.verdict}</span></td>
  <td>${one.part}</td><td class="wrap">${one.says}${one.advice && html`<br /><b>${one.advice}</b>`}</td></tr>`;

function Settings() {
  const keys = Object.entries(configuration.value ?? {}).flatMap(([section, values]) =>
    values && typeof values === "object" && !Array.isArray(values)
      ? Object.entries(values).map(([key, value]) => [`${section}.${key}`, value]) : [[section, values]]);
  const text = wanted.value.trim().toLowerCase();
  const shown = keys.filter(([key]) => key.includes(text));
  return html`<p><label>Key <input value=${wanted.value} onInput=${(event) => { wanted.value = event.target.value; }} placeholder="engine." /></label></p>
    <div class="scroll" tabindex="0" role="region" aria-label="Settings"><table><thead><tr><th scope="col">key</th><th scope="col">value</th></tr></thead>
      <tbody>${shown.map(([key, value]) => html`<tr key=${key}><td>${key}</td><td class="wrap">${JSON.stringify(value)}</td></tr>`)}</tbody></table></div>`;
}

const asks = eachVisit(load);

export function Nodes() {
  asks();
  const now = shown.value;
  const committed = new Map(partitions.value.map((one) => [one.partition, one.committed]));
  const here = overview.value?.node;
  const owners = Object.entries(now?.owners ?? {});
  const most = Math.max(1, ...owners.map(([, count]) => count));
  return html`
    <p class="tools">${shown.box()} <span class="note">${trouble.value}</span></p>
    <section aria-labelledby="owners"><h2 id="owners">Partitions by node</h2>
      <div class="scroll" tabindex="0" role="region" aria-label="Partitions by node"><table><thead><tr><th scope="col">node</th><th scope="col">partitions</th><th scope="col">share</th></tr></thead>
        <tbody>${owners.map(([name, count]) => html`<tr key=${name}><td>${name}${name === here ? " (this one)" : ""}</td><td>${number(count)}</td>
          <td><meter min="0" max=${most} value=${count} aria-label=${`${count} partitions`}></meter></td></tr>`)}</tbody></table></div>
      ${now && html`<p class="note">Version ${now.version}; ${now.others} other nodes live; ${now.settled ? "settled" : "partitions are under way"}.</p>`}</section>
    ${now && html`<${Sums} sums=${now.sums} committed=${committed} />`}
    <section aria-labelledby="doctor"><h2 id="doctor">Doctor</h2>
      <p class="tools"><button onClick=${examine} disabled=${findings.value === "under way"}>Examine this node</button> <span class="note">as <b>nearline doctor</b> does: nothing is changed${Array.isArray(findings.value) && `; as of ${clock(examined.value)} UTC`}</span></p>
      ${Array.isArray(findings.value) && html`<div class="scroll" tabindex="0" role="region" aria-label="Findings"><table><thead><tr><th scope="col">verdict</th><th scope="col">part</th><th scope="col">found</th></tr></thead>
        <tbody>${findings.value.map((one, i) => html`<${Found} key=${i} one=${one} />`)}</tbody></table></div>`}</section>
    <section aria-labelledby="settings"><h2 id="settings">Configuration in effect</h2><${Settings} /></section>`;
}
