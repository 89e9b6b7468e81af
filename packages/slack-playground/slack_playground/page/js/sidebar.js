// @ts-check
// The left: who you are, and the conversations you are in.

import { button, fill, icon, make, sync } from "./dom.js";
import { avatar, faceOf, seal, titleOf } from "./faces.js";
import { bePerson, goTo } from "./going.js";
import { isDm, me, mine, people, store } from "./store.js";
import { languageName, t } from "./words.js";

const rail = document.getElementById("rail");
const sidebar = document.getElementById("sidebar");
const faces = make("ul", { class: "rail-people", role: "list" });
const brand = make("div");
rail.append(brand, faces);
const head = make("header", { class: "sidebar-head" });
const places = make("div", { class: "places" });
const foot = make("footer", { class: "sidebar-foot" });
sidebar.append(head, places, foot);

export function drawSidebar() {
  if (!store.me) return;
  rail.setAttribute("aria-label", t("people"));
  sidebar.setAttribute("aria-label", t("conversations"));
  fill(brand, seal("brand", store.workspace));
  drawRail();
  fill(head, make("div", { class: "workspace-name" }, t("workspace")),
    make("div", { class: "you" }, make("span", {}, t("you", { name: me().name })), make("span", { class: "language", lang: me().locale }, languageName(me().locale))));
  const own = mine();
  const groups = [
    ["apps", own.filter(isDm)],
    ["channels", own.filter((entry) => !entry.is_im && !entry.is_mpim).sort((a, b) => Number(a.is_private) - Number(b.is_private) || a.name.localeCompare(b.name))],
    ["groups", own.filter((entry) => entry.is_mpim)],
  ].filter(([, entries]) => entries.length);
  sync(places, groups.map(([name, entries]) => ({ key: name, sign: JSON.stringify([t(name), entries.map((entry) => [entry.id, titleOf(entry), entry.id === store.channel])]), build: () => group(name, entries) })));
  const { create_app_url: create, setup_command: command } = store.workspace;
  fill(foot,
    create ? make("a", { class: "side-add", href: create, target: "_blank", rel: "noopener" }, icon("bolt", 16), t("ownSlack")) : null,
    command ? make("p", { class: "side-note" }, t("thenRun"), " ", make("code", {}, command)) : null);
}

function group(name, entries) {
  const id = `places-${name}`;
  return make("section", {}, make("h2", { id }, t(name)), make("ul", { role: "list", "aria-labelledby": id }, entries.map(place)));
}

function place(entry) {
  const current = entry.id === store.channel;
  return make("li", {}, button({
    class: `place${current ? " current" : ""}`, "aria-current": current ? "page" : null, "data-focus": entry.id, onclick: () => goTo({ channel: entry.id }),
  }, faceOf(entry), make("span", { class: "place-name" }, titleOf(entry)), isDm(entry) && store.workspace.agent ? make("span", { class: "badge" }, t("badge")) : null));
}

function drawRail() {
  sync(faces, people().map((person) => ({
    key: person.id, sign: JSON.stringify([person, person.id === store.me, t("people")]),
    build: () => {
      const language = languageName(person.locale);
      return make("li", {}, button({
        class: `person${person.id === store.me ? " current" : ""}`, "aria-pressed": String(person.id === store.me), title: t("be", { name: person.name, language }), "data-focus": `person-${person.id}`, onclick: () => bePerson(person.id),
      }, avatar(person.id), make("span", { class: "person-name" }, person.name), make("span", { class: "person-language", lang: person.locale }, language)));
    },
  })));
}
