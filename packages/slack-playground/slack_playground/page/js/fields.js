// @ts-check
// Elements that hold a value: selects, checkboxes, dates, texts. {node, control, read, restore}

import { make } from "./dom.js";
import { newId } from "./dialogs.js";
import { placeName } from "./faces.js";
import { plainOrMrkdwn } from "./text.js";
import { mine, people, store } from "./store.js";
import { t } from "./words.js";

const INPUTS = {
  plain_text_input: "text", email_text_input: "email", url_text_input: "url", number_input: "number",
  datepicker: "date", timepicker: "time",
};

const TYPED = new Set(["plain_text_input", "email_text_input", "url_text_input", "number_input"]);

export const holdsValue = (element) => element.type in INPUTS || /^(?!multi).*select|checkboxes|radio/.test(element.type);

export function field(element, changed = () => {}) {
  if (element.type === "checkboxes" || element.type === "radio_buttons") return choices(element, changed, element.type === "checkboxes");
  if (element.type.endsWith("select")) return select(element, changed);
  return textual(element, changed);
}

function optionsOf(element) {
  const group = (entries) => [{ options: entries.map(([value, text]) => ({ value, text: { type: "plain_text", text } })) }];
  const kind = element.type;
  if (kind === "users_select") return group(people().map((person) => [person.id, person.name]));
  if (kind === "channels_select") return group(mine().filter((entry) => !entry.is_private).map((entry) => [entry.id, placeName(entry)]));
  if (kind === "conversations_select") return group(mine().map((entry) => [entry.id, placeName(entry)]));
  return element.option_groups ?? [{ options: element.options ?? [] }];
}

function select(element, changed) {
  const option = (entry) => make("option", { value: entry.value }, entry.text.text);
  const control = make("select", { disabled: element.type === "external_select" },
    make("option", { value: "", disabled: true }, element.placeholder?.text ?? t("choose")),
    optionsOf(element).map((group) => (group.label ? make("optgroup", { label: group.label.text }, group.options.map(option)) : group.options.map(option))));
  control.value = element.initial_option?.value ?? element.initial_user ?? element.initial_channel ?? element.initial_conversation
    ?? (element.default_to_current_conversation ? store.channel : "");
  control.addEventListener("change", () => changed(control.value || null));
  return { node: control, control, read: () => control.value || null, restore: (value) => (control.value = value ?? "") };
}

function choices(element, changed, several) {
  const name = newId("choice");
  const initial = new Set((element.initial_options ?? [element.initial_option]).map((entry) => entry?.value));
  const boxes = [];
  const node = make("div", { class: "choices", role: several ? "group" : "radiogroup", tabindex: "-1" }, element.options.map((entry) => {
    const box = make("input", { type: several ? "checkbox" : "radio", name, value: entry.value });
    box.checked = initial.has(entry.value);
    box.addEventListener("change", () => changed(read()));
    boxes.push(box);
    return make("label", { class: "choice" }, box, make("span", {}, plainOrMrkdwn(entry.text), entry.description ? make("small", {}, entry.description.text) : null));
  }));
  const read = () => {
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    return several ? chosen : chosen[0] ?? null;
  };
  const restore = (value) => boxes.forEach((box) => (box.checked = several ? (value ?? []).includes(box.value) : box.value === value));
  return { node, control: node, read, restore };
}

function textual(element, changed) {
  const lines = element.multiline;
  const control = make(lines ? "textarea" : "input", {
    type: lines ? null : INPUTS[element.type], rows: lines ? "4" : null, placeholder: element.placeholder?.text, minlength: element.min_length, maxlength: element.max_length,
    inputmode: element.type === "number_input" ? "decimal" : null, step: element.is_decimal_allowed ? "any" : null, autocomplete: "off",
  });
  const initial = element.initial_value ?? element.initial_date ?? element.initial_time ?? "";
  control.value = initial;
  // An initial value that was removed counts as empty, not as the initial value.
  const read = () => control.value || (initial ? "" : null);
  if (TYPED.has(element.type)) whenTyped(element, control, () => changed(read()));
  else control.addEventListener("change", () => changed(read()));
  return { node: control, control, read, restore: (value) => (control.value = value ?? "") };
}

// As in Slack: at Enter, or after each character if the element asks for that.
function whenTyped(element, control, tell) {
  if (element.dispatch_action_config?.trigger_actions_on?.includes("on_character_entered")) control.addEventListener("change", tell);
  else control.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229 || control.matches("textarea")) return;
    if (tell()) event.preventDefault();
  });
}

// What is wrong with a value, as one sentence, or "".
export function problemOf(block, made) {
  const value = made.read();
  const empty = value === null || value === "" || (Array.isArray(value) && !value.length);
  return empty ? (block.optional ? "" : t("required")) : made.control.validationMessage ?? "";
}
