// Who did what on this listener.
import { eachVisit, html, signal, ask } from "../ui.js";

/** @type {import("../types").Signal<import("../types").Document<"AuditEntry">[] | null>} */
const entries = signal(null);
const trouble = signal("");

async function load() {
  try { [entries.value, trouble.value] = [await ask("admin/audit?limit=1000"), ""]; } catch (error) { trouble.value = error.message; }
}

const asks = eachVisit(load);

export function Audit() {
  asks();
  const all = entries.value ?? [];
  return html`
    <p class="tools"><button onClick=${load}>Look again</button> <span class="note">${trouble.value || (entries.value && `the newest ${all.length} of this node`)}</span></p>
    <div class="scroll" tabindex="0" role="region" aria-label="Actions"><table>
      <thead><tr>${["when (UTC)", "who", "from", "what", "detail", "outcome", "took"].map((head) => html`<th scope="col" key=${head}>${head}</th>`)}</tr></thead>
      <tbody>${all.map((one, i) => html`<tr key=${i}><td>${one.at}</td><td>${one.who ?? "no key"}</td><td>${one.from}</td><td>${one.what}</td>
        <td class="wrap">${one.detail ?? ""}</td><td>${one.outcome}</td><td>${one.took_ms} ms</td></tr>`)}
        ${entries.value && !all.length && html`<tr><td colspan="7">nothing was changed yet</td></tr>`}</tbody></table></div>`;
}
