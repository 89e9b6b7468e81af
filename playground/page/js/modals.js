// The app's modals: a stack, of which the top is shown; what was typed below it is kept.

import { announce, button, make, toast } from "./dom.js";
import { attempt } from "./acts.js";
import { renderBlock } from "./blocks.js";
import { get, post } from "./control.js";
import { complain, dialog, newId } from "./dialogs.js";
import { renderElement } from "./elements.js";
import { field, holdsValue, problemOf } from "./fields.js";
import { withEmoji } from "./mrkdwn.js";
import { changed, store } from "./store.js";
import { t } from "./words.js";

let shown = null; // {id, hash, element, read}
const typed = new Map(); // view id → {"block|action": value}

export async function loadViews() {
  const asked = store.me;
  const { views } = await get("views", { as: asked });
  if (asked !== store.me) return;
  store.views = views;
  changed("views");
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
  for (const id of typed.keys()) if (!store.views.some((entry) => entry.id === id)) typed.delete(id);
  if (view) show(view);
}

function show(view) {
  const fields = [];
  const before = typed.get(view.id) ?? {};
  const values = () => Object.fromEntries(fields.map(({ key, made }) => [key, made.read()]));
  const nested = () => {
    const found = {};
    for (const { block, element, made } of fields) {
      const value = made.read();
      if (value !== null) (found[block.block_id] ??= {})[element.action_id] = value;
    }
    return found;
  };
  const act = async (element, block, value) => {
    const answer = await attempt(() => post("actions", {
      user: store.me, view_id: view.id, action_id: element.action_id, block_id: block.block_id, value, values: nested(),
    }));
    if (answer?.ok === false) toast(t("actionFailed", { reason: answer.reason }), "problem");
  };

  const add = (element, block, changedTo) => {
    const made = field(element, changedTo);
    const key = `${block.block_id}|${element.action_id}`;
    fields.push({ key, block, element, made });
    if (key in before) made.restore(before[key]);
    return made;
  };

  const inputs = [];
  const part = (block) => {
    if (block.type === "input") {
      if (!holdsValue(block.element)) return renderBlock(block, act);
      const made = add(block.element, block, (value) => block.dispatch_action && act(block.element, block, value));
      const row = inputRow(block, made);
      inputs.push({ block, made, say: row.say });
      return row.element;
    }
    const held = block.accessory && holdsValue(block.accessory) ? block.accessory : null;
    const node = renderBlock(held ? { ...block, accessory: undefined } : block, act);
    if (held) {
      const made = add(held, block, (value) => act(held, block, value));
      made.control.setAttribute("aria-label", held.placeholder?.text ?? block.text?.text ?? t("choose"));
      node.append(make("div", { class: "accessory" }, made.node));
    }
    if (block.type === "actions" && block.elements.some(holdsValue)) {
      node.replaceChildren(...block.elements.map((element) => {
        if (!holdsValue(element)) return renderElement(element, block, act);
        const made = add(element, block, (value) => act(element, block, value));
        made.control.setAttribute("aria-label", element.placeholder?.text ?? t("choose"));
        return made.node;
      }));
    }
    return node;
  };

  const trouble = make("p", { class: "problem", role: "alert", hidden: true });
  const close = () => attempt(() => post("views/close", { user: store.me, view_id: view.id }));
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
    make("div", { class: "dialog-body" }, trouble, view.blocks.map(part)),
    make("footer", { class: "dialog-foot" }, button({ class: "plain", onclick: close }, view.close?.text ?? (submitButton ? t("cancel") : t("close"))), submitButton));
  const element = dialog({ title: withEmoji(view.title.text), body: form, className: "view", onCancel: close });
  element.dataset.view = view.id;
  shown = { id: view.id, hash: view.hash, element, values };
  const first = inputs.find(({ block }) => block.element.focus_on_load) ?? inputs[0];
  if (first) focusOn(first.made.control);
  announce(t("newView", { title: view.title.text }));
}

function focusOn(control) {
  (control.matches("input, select, textarea") ? control : control.querySelector("input"))?.focus();
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
  return { element: make("div", { class: "field", dataset: { block: block.block_id } }, label, made.node, hint, error), say };
}

