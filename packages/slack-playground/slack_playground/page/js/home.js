// @ts-check
// The app's Home tab, and the page about the app.

import { make } from "./dom.js";
import { get } from "./control.js";
import { avatar, nativeName } from "./faces.js";
import { me, store } from "./store.js";
import { viewParts } from "./view_parts.js";
import { languageName, t } from "./words.js";

let shown = "";
let parts = null; // what the Home tab on the page holds, and whose it is

export async function drawHome(page) {
  if (store.tab === "about") {
    shown = "";
    page.replaceChildren(about());
    return;
  }
  const asked = store.me;
  const { view } = await get("home", { as: asked });
  if (asked !== store.me || store.tab !== "home") return;
  const sign = `${asked}${view?.id}${view?.hash}`;
  if (shown === sign && page.childElementCount) return;
  shown = sign;
  if (view) showView(page, view);
  else if (!store.workspace.home_tab) page.replaceChildren(empty(t("homeOff"), t("homeOffNote")));
  else page.replaceChildren(empty(t("homeEmpty"), t("homeEmptyNote", { name: me().name })));
}

// Typed text, scroll position and focus stay when the app publishes again.
function showView(page, view) {
  const { scrollTop } = page;
  const focus = page.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.focus : null;
  const again = parts?.id === view.id;
  parts = { id: view.id, ...viewParts(view.blocks, { view_id: view.id }, again ? parts.values() : {}) };
  page.replaceChildren(make("div", { class: "home" }, parts.nodes));
  page.scrollTop = again ? scrollTop : 0;
  if (focus) page.querySelector(`[data-focus="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
}

function empty(title, note) {
  return make("div", { class: "intro" }, avatar(store.workspace.bot_user_id, "big"), make("h2", {}, title), make("p", {}, note));
}

function about() {
  const { workspace } = store;
  return make("div", { class: "home about" },
    make("div", { class: "about-head" }, avatar(workspace.bot_user_id, "big"), make("div", {}, make("h2", {}, workspace.app_name, " ", nativeName(workspace.native_name)), make("p", { lang: "en" }, workspace.description))),
    workspace.commands.length ? make("section", {}, make("h3", {}, t("aboutCommands")), make("dl", { class: "commands", lang: "en" }, workspace.commands.map((entry) => [
      make("dt", {}, make("code", {}, entry.name), " ", make("span", { class: "usage" }, entry.usage_hint)), make("dd", {}, entry.description)]))) : null,
    make("p", { class: "soft" }, t("aboutNote")),
    make("p", { class: "soft" }, `${t("you", { name: me().name })} · `, make("span", { lang: me().locale }, languageName(me().locale)), ` · ${me().tz}`));
}

