// Adds a person or a conversation.

import { changeMe } from "./acts.js";
import { at, post } from "./control.js";
import { button, make, toast } from "./dom.js";
import { complain, dialog, labelled } from "./dialogs.js";
import { bePerson, goTo } from "./going.js";
import { loadWorkspace, me, people, store } from "./store.js";
import { t } from "./words.js";

const CHOICES = { ja: ["ja-JP", "Asia/Tokyo"], en: ["en-US", "America/New_York"] };

// `work` resolves to false when the form is to be corrected, else to what to do once the dialog has closed.
export function form(title, rows, work, verb = t("add")) {
  const submit = make("button", { class: "primary" }, verb);
  let working = false;
  const element = make("form", { novalidate: true, onsubmit: async (event) => {
    event.preventDefault();
    if (working) return;
    working = true;
    try {
      const proceed = await work();
      if (!proceed) return;
      shown.close();
      await proceed();
    } catch (error) {
      toast(error.message, "problem");
    } finally {
      working = false;
    }
  } }, make("div", { class: "dialog-body" }, rows), make("footer", { class: "dialog-foot" }, button({ class: "plain", onclick: () => shown.close() }, t("cancel")), submit));
  const shown = dialog({ title, body: element, className: "small" });
  element.querySelector("input, select")?.focus();
}

export function addPerson() {
  const name = labelled(t("name"), make("input", { type: "text", autocomplete: "off", maxlength: "40" }));
  const language = labelled(t("language"), make("select", {}, make("option", { value: "ja" }, t("japanese")), make("option", { value: "en" }, t("english"))));
  form(t("addPerson"), [name.row, language.row], async () => {
    const text = name.control.value.trim();
    const problem = !text ? t("nameMissing") : people().some((person) => person.name === text) ? t("nameTaken") : "";
    name.say(problem);
    if (problem) {
      name.control.focus();
      return false;
    }
    const [locale, tz] = CHOICES[language.control.value];
    const { id } = await post("users", { name: text, locale, tz });
    const general = store.workspace.channels.filter((entry) => !entry.is_private && !entry.is_archived);
    await Promise.all(general.map((entry) => post("channels/update", { channel: entry.id, add: [id] })));
    await loadDm(id);
    await loadWorkspace();
    return () => bePerson(id);
  });
}

const LOCALES = ["en-US", "en-GB", "ja-JP", "de-DE", "fr-FR", "zh-CN"];

// What the app learns of a person from Slack: language and time zone.
export function changePerson() {
  const { locale, tz } = me();
  const choose = (values, value, show) => {
    const control = make("select", {}, [...new Set([value, ...values])].map((one) => make("option", { value: one }, show(one))));
    control.value = value;
    return control;
  };
  const language = labelled(t("language"), choose(LOCALES, locale, (tag) => `${new Intl.DisplayNames([tag], { type: "language" }).of(tag)} (${tag})`));
  const zone = labelled(t("timeZone"), choose(Intl.supportedValuesOf("timeZone"), tz, (name) => name.replaceAll("_", " ")));
  form(t("changeMe"), [language.row, zone.row], async () => {
    await changeMe({ locale: language.control.value, tz: zone.control.value });
    return loadWorkspace;
  }, t("save"));
}

// Asking for the DM makes it.
const loadDm = (id) => fetch(at("channels/dm/messages", { as: id, only: "0" }));

export function addChannel() {
  const name = labelled(t("name"), make("input", { type: "text", autocomplete: "off", maxlength: "80" }));
  const kind = labelled(t("kind"), make("select", {}, ["public", "private", "mpim"].map((value) => make("option", { value }, t(`${value}Kind`)))));
  const others = people().filter((person) => person.id !== store.me);
  const boxes = others.map((person) => make("input", { type: "checkbox", value: person.id, checked: true }));
  const error = make("p", { class: "field-error", id: "members-error" });
  const members = make("fieldset", { class: "field" }, make("legend", {}, t("members")),
    make("div", { class: "choices" }, boxes.map((box, index) => make("label", { class: "choice" }, box, make("span", {}, others[index].name)))), error);
  const bot = make("input", { type: "checkbox", checked: true });
  kind.control.addEventListener("change", () => (name.row.hidden = kind.control.value === "mpim"));
  form(t("addChannel"), [kind.row, name.row, members, make("label", { class: "choice" }, bot, make("span", {}, t("withApp")))], async () => {
    const group = kind.control.value === "mpim";
    const text = name.control.value.trim().toLowerCase().replace(/\s+/g, "-");
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value);
    name.say(!group && !text ? t("nameMissing") : "");
    complain(members, error, group && !chosen.length ? t("membersMissing") : "");
    if ((!group && !text) || (group && !chosen.length)) return false;
    const label = group ? [store.me, ...chosen].map((id) => people().find((person) => person.id === id).name.toLowerCase()).join("-") : text;
    const { id } = await post("channels", { kind: kind.control.value, name: label, members: [store.me, ...chosen], app: bot.checked });
    await loadWorkspace();
    return () => goTo({ channel: id });
  });
}
