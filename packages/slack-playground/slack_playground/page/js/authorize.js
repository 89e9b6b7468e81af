// @ts-check
// The page of consent: who installs the app in which workspace, and what it will be able to do.

import { get, post } from "./control.js";
import { labelled } from "./dialogs.js";
import { button, fill, make, toast } from "./dom.js";
import { seal } from "./faces.js";
import { recall } from "./store.js";
import { speak, t } from "./words.js";

const query = Object.fromEntries(new URLSearchParams(location.search));
const page = document.getElementById("consent");
const chosen = { team: "", user: "", declined: new Set() };

const language = (tag) => tag.split("-")[0].toLowerCase();

// The person of the last visit of the playground, or somebody who reads a language of the browser's.
function firstPerson(people) {
  const reader = (tag) => people.find((person) => language(person.locale) === language(tag));
  return people.find((person) => person.id === recall("me")) ?? [...navigator.languages, "en"].map(reader).find(Boolean) ?? people[0];
}

function choose(asked, team, user) {
  const workspace = asked.workspaces.find((one) => one.team_id === team) ?? asked.workspaces[0];
  chosen.team = workspace.team_id;
  chosen.user = (workspace.people.find((one) => one.id === user) ?? firstPerson(workspace.people)).id;
  const person = workspace.people.find((one) => one.id === chosen.user);
  speak(person);
  draw(asked, workspace);
}

function select(id, text, entries, value, change) {
  const control = make("select", { id, onchange: () => {
    change(control.value);
    document.getElementById(id)?.focus();
  } }, entries.map(([key, name]) => make("option", { value: key }, name)));
  control.value = value;
  return labelled(text, control).row;
}

function draw(asked, workspace) {
  document.title = t("consentTitle", { app: asked.name });
  fill(page,
    seal("brand", { app_name: asked.name, native_name: asked.native_name }),
    make("h1", {}, t("consentHeading", { app: asked.name, workspace: workspace.name })),
    make("p", { class: "soft", lang: "en" }, asked.description),
    make("div", { class: "consent-who" },
      select("consent-workspace", t("consentWorkspace"), asked.workspaces.map((one) => [one.team_id, one.name]), chosen.team, (team) => choose(asked, team, chosen.user)),
      select("consent-person", t("consentPerson"), workspace.people.map((one) => [one.id, one.name]), chosen.user, (user) => choose(asked, chosen.team, user))),
    workspace.installed ? make("p", { class: "soft", role: "note" }, t("consentAgain", { app: asked.name })) : null,
    make("section", { "aria-labelledby": "consent-scopes" },
      make("h2", { id: "consent-scopes" }, t("consentScopes", { app: asked.name })),
      make("ul", { role: "list" }, asked.scopes.map((scope) => make("li", {}, scopeRow(scope))))),
    make("p", { class: "soft" }, t("consentBack", { host: asked.redirect_host })),
    make("footer", { class: "dialog-foot" },
      button({ class: "plain", onclick: () => decide(false) }, t("cancel")),
      button({ class: "primary", onclick: () => decide(true) }, t("allow"))));
}

function scopeRow({ name, optional }) {
  const text = make("span", {}, make("code", {}, name), optional ? make("small", {}, t("optional")) : null);
  if (!optional) return make("div", { class: "choice" }, text);
  const box = make("input", { type: "checkbox", checked: !chosen.declined.has(name), onchange: () => (box.checked ? chosen.declined.delete(name) : chosen.declined.add(name)) });
  return make("label", { class: "choice" }, box, text);
}

/** @returns {NodeListOf<HTMLButtonElement>} */
const buttons = () => page.querySelectorAll("footer button");

async function decide(allow) {
  for (const one of buttons()) one.disabled = true;
  try {
    const { redirect } = await post("authorization", { query, allow, team: chosen.team, user: chosen.user, declined: [...chosen.declined] });
    location.assign(redirect);
  } catch (error) {
    for (const one of buttons()) one.disabled = false;
    toast(error.message, "problem");
  }
}

try {
  const asked = await get("authorization", query);
  choose(asked, asked.workspaces[0].team_id, recall("me"));
} catch (error) {
  speak({ locale: navigator.language });
  document.title = t("consentWrong");
  fill(page, make("h1", {}, t("consentWrong")), make("p", { role: "alert", lang: "en" }, error.message), make("p", { class: "soft" }, t("consentWrongNote")));
}
document.documentElement.dataset.ready = "yes";
