// @ts-check
// Completes commands at the start of a message, and names after @.

import { make } from "./dom.js";
import { avatar } from "./faces.js";
import { app, here, people, store } from "./store.js";

export function completion(box, list, allowCommands) {
  let found = [];
  let at = 0;
  let range = [0, 0];

  function update() {
    const caret = box.selectionStart;
    const before = box.value.slice(0, caret);
    const slash = before.match(/^\/(\S*)$/);
    const named = before.match(/(?:^|[^\w@])@([^\s@]{0,20})$/u);
    if (slash && allowCommands()) {
      range = [0, caret];
      found = store.workspace.commands.filter((entry) => entry.name.startsWith(before)).map((entry) => ({
        text: `${entry.name} `, show: [make("strong", {}, entry.name), make("span", { class: "usage" }, entry.usage_hint), make("small", {}, entry.description)],
      }));
    } else if (named) {
      range = [caret - named[1].length - 1, caret];
      const members = new Set(here().members);
      const everybody = [app(), ...people()].filter((person) => person && person.id !== store.me && members.has(person.id));
      found = everybody.filter((person) => person.name.toLowerCase().startsWith(named[1].toLowerCase())).slice(0, 8).map((person) => ({
        text: `@${person.name} `, show: [avatar(person.id, "small"), make("strong", {}, person.name)],
      }));
    } else {
      found = [];
    }
    at = 0;
    draw();
  }

  function draw() {
    list.hidden = !found.length;
    list.replaceChildren(...found.map((entry, index) => make("div", {
      class: "option", role: "option", id: `${list.id}-${index}`, "aria-selected": String(index === at),
      onpointerdown: (event) => {
        event.preventDefault();
        take(index);
      },
    }, entry.show)));
    if (found.length) box.setAttribute("aria-activedescendant", `${list.id}-${at}`);
    else box.removeAttribute("aria-activedescendant");
  }

  function take(index) {
    box.setRangeText(found[index].text, range[0], range[1], "end");
    close();
    box.focus();
    box.dispatchEvent(new Event("input"));
  }

  function close() {
    found = [];
    draw();
  }

  // Returns true if the key was for the list.
  function keydown(event) {
    if (!found.length) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      at = (at + step + found.length) % found.length;
      draw();
    } else if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey)) {
      // What is already typed in full is sent, not completed.
      if (event.key === "Enter" && found[at].text.trim() === box.value.slice(...range)) {
        close();
        return false;
      }
      take(at);
    } else if (event.key === "Escape") {
      close();
      event.stopPropagation();
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  }

  box.addEventListener("blur", close);
  return { update, close, keydown };
}
