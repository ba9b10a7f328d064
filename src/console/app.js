// The frame of the console: which page is shown, and how things stand.
import { changes, clock, html, left, render, effect, locked, signal } from "./ui.js";
import { Key } from "./key.js";
import { connected, follow, heard, overview } from "./feed.js";
import { Now } from "./pages/now.js";
import { Partitions } from "./pages/partitions.js";
import { Remediations } from "./pages/remediations.js";
import { Letters } from "./pages/letters.js";
import { Member } from "./pages/member.js";
import { Titles } from "./pages/titles.js";
import { Experiments } from "./pages/experiments.js";
import { Nodes } from "./pages/nodes.js";
import { Audit } from "./pages/audit.js";
import { Chaos } from "./pages/chaos.js";

/** Title and component by name.
 * @type {Record<string, [string, () => any]>} */
const PAGES = {
  now: ["Now", Now], partitions: ["Partitions", Partitions], remediations: ["Remediations", Remediations],
  letters: ["Dead letters", Letters], member: ["Member", Member], titles: ["Titles", Titles], experiments: ["Experiments", Experiments],
  nodes: ["Nodes", Nodes], audit: ["Audit", Audit], chaos: ["Chaos", Chaos],
};
const named = () => { const name = location.hash.slice(2).split("/")[0]; return name in PAGES ? name : "now"; };
const page = signal(named());
addEventListener("hashchange", () => {
  const name = named();
  if (name === page.value) return;
  // In this order: the page that is left asks nothing, the one that is shown asks once.
  left();
  page.value = name;
  scrollTo(0, 0);
  document.getElementById("main")?.focus({ preventScroll: true });
});

function App() {
  const now = overview.value;
  const pages = Object.entries(PAGES).filter(([name]) => name !== "chaos" || (now?.chaos && changes.value));
  const shown = Object.fromEntries(pages)[page.value] ?? PAGES.now;
  const standing = locked.value ? ["locked", "holding"] : !connected.value ? ["no answer", "failed"] : !now?.ready ? ["catching up", "holding"]
    : now.live + now.elsewhere < now.partitions ? ["mending", "holding"] : ["ready", "live"];
  return html`
    <header>
      <a class="brand" href="#/now">Nearline</a>
      <nav aria-label="Pages">${pages.map(([name, [title]]) => html`
        <a key=${name} href=${"#/" + name} aria-current=${page.value === name ? "page" : undefined}>${title}</a>`)}</nav>
      ${now && !locked.value && !changes.value && html`<span class="note">read only</span>`}
      <span role="status" class=${"state " + standing[1]}>${standing[0]}</span>
    </header>
    <main id="main" tabindex="-1">
      <h1>${locked.value ? "Locked" : shown[0]}</h1>
      ${now && !locked.value && !connected.value && html`<p role="alert" class="stale">This node has not answered since ${clock(heard.value)} UTC: what is shown is as of then.</p>`}
      ${locked.value ? html`<${Key} />` : html`<${shown[1]} key=${shown[0]} />`}
    </main>
    <footer>${now && html`${now.version} · ${now.backend} · node ${now.node || "of no name"}`}</footer>`;
}

follow();
effect(() => render(html`<${App} />`, document.getElementById("app")));
