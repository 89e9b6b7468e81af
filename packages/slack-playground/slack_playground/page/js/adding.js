// @ts-check
// Small forms: what Slack knows of a person.

import { changeMe } from "./acts.js";
import { button, make, toast } from "./dom.js";
import { dialog, labelled } from "./dialogs.js";
import { loadWorkspace, me } from "./store.js";
import { t } from "./words.js";

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
