// @ts-check
// People and conversations as they look.

import { icon, make } from "./dom.js";
import { isDm, nameOf, store, user } from "./store.js";
import { languageOf, t } from "./words.js";

const COLOURS = 8;

// The app's picture, in the place of its icon: a manifest holds none.
export function seal(look, { app_name, native_name }) {
  const mark = [...(native_name ?? app_name)][0];
  return make("span", { class: look, lang: languageOf(mark), "aria-hidden": "true" }, mark);
}

export const nativeName = (name) => (name ? make("span", { class: "native", lang: languageOf(name) }, name) : null);

export function avatar(id, size = "") {
  const person = user(id);
  if (person?.is_app) return seal(`avatar seal ${size}`, store.workspace);
  const name = person?.name ?? "?";
  const colour = [...(person?.name ?? id)].reduce((sum, letter) => sum + letter.codePointAt(0), 0) % COLOURS;
  // Two letters as wide as "田" need more than a small one.
  const letters = size === "small" || size === "tiny" ? 1 : 2;
  const initials = name.split(/\s+/).slice(0, letters).map((part) => [...part][0]?.toUpperCase()).join("");
  return make("span", { class: `avatar c${colour} ${size}`, "aria-hidden": "true" }, initials);
}

export function titleOf(entry) {
  if (isDm(entry)) return store.workspace.app_name;
  if (entry.is_mpim) return entry.members.filter((id) => id !== store.me).map(nameOf).join(", ");
  if (entry.is_im) return nameOf(entry.members.find((id) => id !== store.me) ?? store.me);
  return entry.name;
}

export const placeName = (entry) => (entry.is_im || entry.is_mpim ? titleOf(entry) : `#${entry.name}`);

export function faceOf(entry) {
  if (entry.is_im) return avatar(entry.members.find((id) => id !== store.me) ?? store.me, "small");
  return make("span", { class: "glyph" }, icon(entry.is_mpim ? "group" : entry.is_private ? "lock" : "hash", 16));
}

export function installNotice() {
  const { app_name: app, installed } = store.workspace;
  return installed ? null : make("p", { class: "notice", role: "status" }, icon("info", 16), make("span", {}, t("notInstalled", { app, workspace: t("workspace") })));
}
