// The message box: Enter sends, never while a Japanese input method composes; one draft per place.

import { button, icon, make } from "./dom.js";
import { command, say } from "./acts.js";
import { completion } from "./completion.js";
import { keep, recall, store } from "./store.js";
import { t } from "./words.js";

// `where()` → {channel, thread_ts}, `label()` the placeholder, `above` an element over the box.
export function createComposer({ id, where, label, above, onSent = () => {}, onEscape = () => false, lastOwn = () => null }) {
  const box = make("textarea", { id: `${id}-text`, rows: "1", "aria-autocomplete": "list", "aria-controls": `${id}-options` });
  const problem = make("p", { class: "composer-problem", role: "alert" });
  const options = make("div", { class: "completion", id: `${id}-options`, role: "listbox", hidden: true });
  const sendButton = button({ class: "send", onclick: () => submit() }, icon("send"));
  const tools = [["commands", "/", () => insert("/", true)], ["mention", "@", () => insert("@")]].map(([name, sign, act]) => {
    const tool = button({ class: "quiet tool", onclick: act }, sign);
    tool.name = name;
    return tool;
  });
  const hint = make("span", { class: "hint" });
  const element = make("div", { class: "composer" }, options, above,
    make("div", { class: "composer-box" }, box, make("div", { class: "composer-foot" }, tools, hint, sendButton)), problem);
  const complete = completion(box, options, () => !where().thread_ts);

  const draftKey = () => {
    const { channel, thread_ts } = where();
    return `draft.${store.workspace.team_id}.${store.me}.${channel}.${thread_ts ?? ""}`;
  };
  const grow = () => {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, window.innerHeight / 3)}px`;
    sendButton.disabled = !box.value.trim();
  };
  const insert = (sign, atStart) => {
    if (atStart) box.value = box.value.startsWith(sign) ? box.value : sign + box.value;
    else box.setRangeText(/(^|\s)$/.test(box.value.slice(0, box.selectionStart)) ? sign : ` ${sign}`, box.selectionStart, box.selectionEnd, "end");
    if (atStart) box.setSelectionRange(sign.length, sign.length);
    box.focus();
    box.dispatchEvent(new Event("input"));
  };

  async function submit() {
    const text = box.value.trim();
    if (!text) return;
    const { channel, thread_ts } = where();
    const key = draftKey();
    const clear = () => {
      keep(key, null);
      if (draftKey() === key) {
        box.value = "";
        grow();
      }
    };
    complete.close();
    problem.textContent = "";
    if (/^\/[a-z]/i.test(text)) {
      clear();
      onSent();
      const complaint = await command(channel, text, Boolean(thread_ts));
      if (complaint) {
        problem.textContent = complaint;
        if (!box.value) box.value = text;
        grow();
      }
    } else {
      clear();
      say(channel, text, thread_ts);
      onSent();
    }
  }

  box.addEventListener("input", () => {
    problem.textContent = "";
    keep(draftKey(), box.value);
    grow();
    complete.update();
  });
  box.addEventListener("keydown", (event) => {
    // 229 is what some browsers say of the Enter that ends a composition.
    if (event.isComposing || event.keyCode === 229) return;
    if (complete.keydown(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      submit();
    } else if (event.key === "Escape" && onEscape()) {
      event.stopPropagation();
    } else if (event.key === "ArrowUp" && !box.value) {
      if (lastOwn()) event.preventDefault();
    }
  });

  return {
    element, box, grow,
    focus: () => box.focus(),
    // Call when the place or the language has changed.
    refresh() {
      box.placeholder = label();
      box.setAttribute("aria-label", label());
      hint.textContent = t("enter");
      sendButton.setAttribute("aria-label", t("send"));
      sendButton.title = t("send");
      options.setAttribute("aria-label", t("commands"));
      for (const tool of tools) {
        tool.setAttribute("aria-label", t(tool.name));
        tool.title = t(tool.name);
      }
      const draft = recall(draftKey()) ?? "";
      if (box.value !== draft) box.value = draft;
      complete.close();
      problem.textContent = "";
      grow();
    },
  };
}
