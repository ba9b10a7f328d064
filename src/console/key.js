// The key of whoever looks, where one is asked for. It is kept in a cookie that no script can read.
import { again } from "./feed.js";
import { ask, html, locked, signal } from "./ui.js";

const trouble = signal("");

/** @param {import("./vendor/htm.mjs").Input} event */
async function unlock(event) {
  event.preventDefault();
  const field = event.target.elements.key;
  try {
    await ask("admin/session", "POST", { key: field.value.trim() });
    [locked.value, trouble.value] = [false, ""];
    again();
  } catch (error) { trouble.value = error.message; }
  field.value = "";
}

export const Key = () => html`
  <form onSubmit=${unlock}>
    <p>This listener asks for a key of the scope <b>admin</b>, or <b>view</b> and <b>query</b> to look and change nothing. <span class="note">Made with <code>nearline key new --name you --scope admin</code>.</span></p>
    <p class="tools"><label>Key <input name="key" type="password" autocomplete="off" required /></label> <button>Unlock</button></p>
    <p role="alert" class="note">${trouble.value}</p>
  </form>`;
