// @ts-check
// The blocks of a view or message: what its elements hold goes to the app with every click in it.

import { clicker } from "./acts.js";
import { renderBlock } from "./blocks.js";
import { complain, newId } from "./dialogs.js";
import { make } from "./dom.js";
import { renderElement } from "./elements.js";
import { field, holdsValue } from "./fields.js";
import { withEmoji } from "./mrkdwn.js";
import { t } from "./words.js";

export const holdsFields = (blocks) => blocks.some((block) => [block.element, block.accessory, ...(block.elements ?? [])].some((element) => element && holdsValue(element)));

// {nodes, inputs, values, nested}: `before` is what `values()` gave of the same blocks earlier;
// `where` is {view_id} or {message_ts, channel}.
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

  const add = (element, block, changedTo) => {
    const made = field(element, changedTo);
    const key = `${block.block_id}|${element.action_id}`;
    made.control.dataset.focus = key;
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
  return { nodes: blocks.map(part), inputs, values, nested };
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
