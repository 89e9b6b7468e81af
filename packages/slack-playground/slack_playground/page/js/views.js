// @ts-check
// The app's views: what their elements hold, the Home tab, the stack of modals.

import { attempt, clicker } from "./acts.js";
import { renderBlocks, renderElement } from "./blocks.js";
import { get, post } from "./control.js";
import { complain, dialog, newId } from "./dialogs.js";
import { announce, button, make } from "./dom.js";
import { avatar } from "./faces.js";
import { field, holdsValue, problemOf } from "./fields.js";
import { changed, me, store } from "./store.js";
import { withEmoji } from "./text.js";
import { t } from "./words.js";

// The blocks of a view or message: what its elements hold goes to the app with every click in it.

// {nodes, inputs, values, nested}: `before` is what `values()` returned for these blocks earlier;
// `where` is {view_id} or {ts, channel}.
export function viewParts(blocks, where, before = {}) {
  const fields = [];
  const values = () => Object.fromEntries(fields.map(({ key, made }) => [key, made.read()]));
  const nested = () => {
    const found = {};
    for (const { block, element, made } of fields) {
      const value = made.read();
      if (value !== null) (found[block.block_id] ??= {})[element.action_id] = value;
    }
    return found;
  };
  const act = clicker(where, nested);

  const inputs = [];
  const show = (element, block) => {
    if (!holdsValue(element)) return renderElement(element, block, act);
    const input = block.type === "input";
    const made = field(element, (value) => (!input || block.dispatch_action) && act(element, block, value));
    const key = `${block.block_id}|${element.action_id}`;
    made.control.dataset.focus = key;
    fields.push({ key, block, element, made });
    if (key in before) made.restore(before[key]);
    if (!input) {
      made.control.setAttribute("aria-label", element.placeholder?.text ?? block.text?.text?.replace(/[*_~`]/g, "") ?? t("choose"));
      return made.node;
    }
    const row = inputRow(block, made);
    inputs.push({ block, made, say: row.say });
    return row.element;
  };
  return { nodes: renderBlocks(blocks, show), inputs, values, nested };
}

// `say(message)` shows what is wrong at the field and returns whether something is.
function inputRow(block, made) {
  const id = newId("input");
  const simple = made.control.matches("input, select, textarea");
  const error = make("p", { class: "field-error", id: `${id}-error` });
  const hint = block.hint ? make("p", { class: "field-note", id: `${id}-hint` }, block.hint.text) : null;
  made.control.id = id;
  made.control.setAttribute("aria-describedby", [error.id, hint?.id].filter(Boolean).join(" "));
  if (!block.optional && simple) made.control.setAttribute("aria-required", "true");
  const name = [withEmoji(block.label.text), block.optional ? make("span", { class: "soft" }, document.documentElement.lang === "ja" ? "（任意）" : " (optional)") : null];
  const label = simple ? make("label", { for: id }, name) : make("div", { class: "label", id: `${id}-label` }, name);
  if (!simple) made.control.setAttribute("aria-labelledby", label.id);
  made.control.addEventListener("input", () => say(""));
  const say = (message) => {
    complain(made.control, error, message);
    return Boolean(message);
  };
  return { element: make("div", { class: "field" }, label, made.node, hint, error), say };
}

// The app's Home tab.

let drawn = "";
let parts = null; // what the Home tab on the page holds, and whose it is

export async function drawHome(page) {
  const asked = store.me;
  const { view } = await get("home", { user: asked });
  if (asked !== store.me || store.tab !== "home") return;
  const sign = `${asked}${view?.id}${view?.hash}`;
  if (drawn === sign && page.childElementCount) return;
  drawn = sign;
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

// The app's modals: a stack, of which the top is shown; what was typed below it is kept.

let shown = null; // {id, hash, element, read}
const typed = new Map(); // view id → {"block|action": value}
const closed = new Set(); // ids of views that the person has closed

export async function loadViews() {
  const asked = store.me;
  const { views } = await get("views", { user: asked });
  if (asked !== store.me) return;
  store.views = views.filter((view) => !closed.has(view.id));
  changed("views");
}

// Removes the view at once, because what the person types next is for what is below it. If the
// playground cannot be reached, the view comes back with what was typed in it.
async function close(view) {
  if (closed.has(view.id)) return; // Chromium may cancel a dialog twice on Escape
  closed.add(view.id);
  store.views = store.views.filter((entry) => entry.id !== view.id);
  drawViews();
  const told = await attempt(() => post("views/close", { user: store.me, view_id: view.id }));
  if (told) {
    typed.delete(view.id);
    return;
  }
  closed.delete(view.id);
  await attempt(loadViews);
}

export function drawViews() {
  const view = store.views.at(-1);
  if (shown && shown.id === view?.id && shown.hash === view.hash) return;
  // A view that the app updates stays where the person has scrolled it to.
  const scrolled = shown?.id === view?.id ? shown?.element.querySelector(".dialog-body")?.scrollTop : undefined;
  if (shown) {
    typed.set(shown.id, shown.values());
    const { element } = shown;
    shown = null;
    element.close();
  }
  for (const id of typed.keys()) {
    if (!closed.has(id) && !store.views.some((entry) => entry.id === id)) typed.delete(id);
  }
  if (view) show(view, scrolled);
}

function show(view, scrolled) {
  const { nodes, inputs, values, nested } = viewParts(view.blocks, { view_id: view.id }, typed.get(view.id));
  const trouble = make("p", { class: "problem", role: "alert", hidden: true });
  const submitButton = view.submit ? make("button", { class: "primary" }, withEmoji(view.submit.text)) : null;

  const submit = async (event) => {
    event.preventDefault();
    trouble.hidden = true;
    const wrong = inputs.filter(({ block, made, say }) => say(problemOf(block, made)));
    if (wrong.length) return focusOn(wrong[0].made.control);
    submitButton.setAttribute("aria-busy", "true");
    try {
      const answer = await post("views/submit", { user: store.me, view_id: view.id, values: nested() });
      if (!answer.ok) throw new Error(t("actionFailed", { reason: answer.reason || answer.complaints?.[0] }));
      const errors = answer.ack?.response_action === "errors" ? answer.ack.errors : {};
      const bad = inputs.filter(({ block, say }) => say(errors[block.block_id] ?? ""));
      if (bad.length) focusOn(bad[0].made.control);
    } catch (error) {
      trouble.hidden = false;
      trouble.textContent = error.message;
    } finally {
      submitButton.removeAttribute("aria-busy");
    }
  };

  const form = make("form", { novalidate: true, onsubmit: submit },
    make("div", { class: "dialog-body" }, trouble, nodes),
    make("footer", { class: "dialog-foot" }, button({ class: "plain", onclick: () => close(view) }, view.close?.text ?? (submitButton ? t("cancel") : t("close"))), submitButton));
  const element = dialog({ title: withEmoji(view.title.text), body: form, className: "view", onCancel: () => close(view) });
  shown = { id: view.id, hash: view.hash, element, values };
  const first = inputs.find(({ block }) => block.element.focus_on_load) ?? inputs[0];
  if (first) focusOn(first.made.control);
  if (scrolled !== undefined) element.querySelector(".dialog-body").scrollTop = scrolled;
  announce(t("newView", { title: view.title.text }));
}

function focusOn(control) {
  (control.matches("input, select, textarea") ? control : control.querySelector("input"))?.focus();
}
