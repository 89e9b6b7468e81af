// @ts-check
// The app's modals: a stack, of which the top is shown; what was typed below it is kept.

import { announce, button, make } from "./dom.js";
import { attempt } from "./acts.js";
import { get, post } from "./control.js";
import { dialog } from "./dialogs.js";
import { problemOf } from "./fields.js";
import { withEmoji } from "./mrkdwn.js";
import { changed, store } from "./store.js";
import { viewParts } from "./view_parts.js";
import { t } from "./words.js";

let shown = null; // {id, hash, element, read}
const typed = new Map(); // view id → {"block|action": value}
const closed = new Set(); // ids of views that the person has closed

export async function loadViews() {
  const asked = store.me;
  const { views } = await get("views", { as: asked });
  if (asked !== store.me) return;
  store.views = views.filter((view) => !closed.has(view.id));
  changed("views");
}

// Removes the view at once: what the person types next is for what is below it. If the playground
// cannot be told, the view comes back with what was typed in it.
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
  if (shown) {
    typed.set(shown.id, shown.values());
    const { element } = shown;
    shown = null;
    element.close();
  }
  for (const id of typed.keys()) {
    if (!closed.has(id) && !store.views.some((entry) => entry.id === id)) typed.delete(id);
  }
  if (view) show(view);
}

function show(view) {
  const { nodes, inputs, values, nested } = viewParts(view.blocks, { view_id: view.id }, typed.get(view.id));
  const trouble = make("p", { class: "problem", role: "alert", hidden: true });
  const submitButton = view.submit ? make("button", { class: "primary" }, withEmoji(view.submit.text)) : null;

  const submit = async (event) => {
    event.preventDefault();
    trouble.hidden = true;
    const wrong = inputs.filter(({ block, made, say }) => say(problemOf(block, made.read())));
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
  element.dataset.view = view.id;
  shown = { id: view.id, hash: view.hash, element, values };
  const first = inputs.find(({ block }) => block.element.focus_on_load) ?? inputs[0];
  if (first) focusOn(first.made.control);
  announce(t("newView", { title: view.title.text }));
}

function focusOn(control) {
  (control.matches("input, select, textarea") ? control : control.querySelector("input"))?.focus();
}
