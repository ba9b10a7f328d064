// What was done about faults: lanes over time, and each one as a line.
import { html, signal, clock, duration, partition, pinnable } from "../ui.js";
import { remediations } from "../feed.js";

/** @typedef {import("../types").Document<"RemediationDocument">} Remediation */

const wanted = signal("");
const shown = pinnable(remediations);

/** What to read about a fault that comes back, by its code: files of docs/runbooks.
 * @type {Record<string, string>} */
const RUNBOOKS = {
  poisoned: "quarantine", panicked: "partition-not-live", hung: "leaked-threads", blocked: "leaked-threads", "reader-stalled": "lagging",
  unavailable: "holding", unusable: "holding", "rolled-back": "holding", fenced: "flapping",
};

/** @param {import("../types").Document<"StandingDocument"> | null} s */
const standing = (s) => (s ? `${s.state}, epoch ${s.epoch}, ${s.folded} folded, ${s.committed} committed` : "under way");

/** @param {{list: Remediation[]}} of */
function Lanes({ list }) {
  if (!list.length) return null;
  const lanes = [...new Set(list.map((r) => r.partition))].sort((a, b) => a - b);
  const from = Math.min(...list.map((r) => r.at_ms));
  const to = Math.max(...list.map((r) => r.at_ms + (r.took_ms ?? 0)), from + 1000);
  /** @param {number} ms */
  const x = (ms) => 60 + (530 * (ms - from)) / (to - from);
  const height = 22 * lanes.length + 24;
  return html`<svg class="lanes" viewBox=${`0 0 600 ${height}`} role="img" aria-label=${`${list.length} remediations of ${lanes.length} partitions from ${clock(from)} to ${clock(to)} UTC`}>
    ${lanes.map((lane, i) => html`<g key=${lane}><text x="0" y=${22 * i + 15}>${partition(lane)}</text><line x1="60" x2="590" y1=${22 * i + 11} y2=${22 * i + 11} />
      ${list.filter((r) => r.partition === lane).map((r) => html`
        <rect key=${r.id} class=${r.after ? "done" : "open"} x=${x(r.at_ms)} y=${22 * i + 4} width=${Math.max(3, x(r.at_ms + (r.took_ms ?? 0)) - x(r.at_ms))} height="14" rx="3"><title>${r.fault}: ${r.action}</title></rect>`)}</g>`)}
    <text x="60" y=${height - 4}>${clock(from)}</text><text x="540" y=${height - 4}>${clock(to)}</text></svg>`;
}

export function Remediations() {
  const all = shown.value;
  const text = wanted.value.trim().toLowerCase();
  const list = all.filter((r) => !text || `${partition(r.partition)} ${r.fault} ${r.action} ${r.detail} ${r.trace_id ?? ""}`.toLowerCase().includes(text));
  return html`
    <p class="tools"><label>Filter <input value=${wanted.value} onInput=${(event) => { wanted.value = event.target.value; }} placeholder="p03, panicked, restart…" /></label>
      ${shown.box()}
      <a href="admin/remediations?limit=1000">JSON</a></p>
    <${Lanes} list=${list} />
    <div class="scroll" tabindex="0" role="region" aria-label="Remediations"><table>
      <thead><tr>${["when (UTC)", "partition", "fault", "action", "took", "what was wrong", "runbook", "before", "after", "trace"].map((head) => html`<th scope="col" key=${head}>${head}</th>`)}</tr></thead>
      <tbody>${list.map((r) => html`<tr key=${r.id}><td>${clock(r.at_ms)}</td><td>${partition(r.partition)}</td><td>${r.fault}</td><td>${r.action}${r.position ? ` of ${r.position}` : ""}</td>
        <td>${r.took_ms == null ? "under way" : duration(r.took_ms)}</td><td class="wrap">${r.detail}</td><td>${RUNBOOKS[r.fault] ?? ""}</td>
        <td>${standing(r.before)}</td><td>${standing(r.after)}</td><td class="trace">${r.trace_id && html`<code title=${r.trace_id}>${r.trace_id.slice(0, 8)}</code>`}</td></tr>`)}
        ${!list.length && html`<tr><td colspan="10">none: nothing had to be mended</td></tr>`}</tbody></table></div>
    ${list.length > 0 && !list.some((r) => r.trace_id) && html`<p class="note">No traces are recorded here: that takes a program with the feature <code>otlp</code>, and <code>telemetry.endpoint</code>.</p>`}`;
}
