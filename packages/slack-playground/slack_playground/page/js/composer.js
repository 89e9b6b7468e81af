// @ts-check
// The message box: Enter sends, never while a Japanese input method composes.

import { button, icon, make } from "./dom.js";
import { attempt, command, say, upload } from "./acts.js";
import { completion } from "./completion.js";
import { sizeOf, t } from "./words.js";

// `where()` → {channel, thread_ts}, `label()` the placeholder.
/** @param {{id: string, where: () => any, label: () => string, onSent?: () => any, lastOwn?: () => any}} how */
export function createComposer({ id, where, label, onSent = () => {}, lastOwn = () => null }) {
  const box = make("textarea", { id: `${id}-text`, rows: "1", "aria-autocomplete": "list", "aria-controls": `${id}-options` });
  const problem = make("p", { class: "composer-problem", role: "alert" });
  const options = make("div", { class: "completion", id: `${id}-options`, role: "listbox", hidden: true });
  const sendButton = button({ class: "send", onclick: () => submit() }, icon("send"));
  const picker = make("input", { type: "file", multiple: true, hidden: true, tabindex: "-1" });
  const attach = button({ class: "quiet tool", onclick: () => picker.click() }, icon("clip"));
  const chosen = make("ul", { class: "chosen-files", role: "list", hidden: true });
  let files = [];
  const element = make("div", { class: "composer" }, options,
    make("div", { class: "composer-box" }, box, chosen, make("div", { class: "composer-foot" }, attach, picker, sendButton)), problem);
  const complete = completion(box, options, () => !where().thread_ts);

  const grow = () => {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, window.innerHeight / 3)}px`;
    sendButton.disabled = !box.value.trim() && !files.length;
  };

  const setFiles = (list) => {
    files = list;
    chosen.hidden = !files.length;
    chosen.replaceChildren(...files.map((file) => make("li", {}, icon("file", 16), make("span", {}, file.name), make("span", { class: "soft" }, sizeOf(file.size)),
      button({ class: "quiet", "aria-label": `${t("takeOut")}: ${file.name}`, title: t("takeOut"), onclick: () => {
        setFiles(files.filter((other) => other !== file));
        box.focus();
      } }, icon("close", 14)))));
    grow();
  };
  const add = async (list) => {
    for (const file of list) {
      const made = await attempt(() => upload(file));
      if (made) setFiles([...files, made]);
    }
    box.focus();
  };
  picker.addEventListener("change", async () => {
    await add([...picker.files]);
    picker.value = "";
  });
  box.addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) {
      event.preventDefault();
      add([...event.clipboardData.files]);
    }
  });

  async function submit() {
    const text = box.value.trim();
    if (!text && !files.length) return;
    const { channel, thread_ts } = where();
    complete.close();
    box.value = "";
    grow();
    problem.textContent = "";
    if (/^\/[a-z]/i.test(text) && !files.length) {
      onSent();
      const complaint = await command(channel, text, Boolean(thread_ts));
      if (complaint) {
        problem.textContent = complaint;
        if (!box.value) box.value = text;
        grow();
      }
    } else {
      say(channel, text, thread_ts, files);
      setFiles([]);
      onSent();
    }
  }

  box.addEventListener("input", () => {
    problem.textContent = "";
    grow();
    complete.update();
  });
  box.addEventListener("keydown", (event) => {
    // Some browsers report 229 for the Enter that ends a composition.
    if (event.isComposing || event.keyCode === 229) return;
    if (complete.keydown(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      submit();
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
      sendButton.setAttribute("aria-label", t("send"));
      sendButton.title = t("send");
      options.setAttribute("aria-label", t("commands"));
      attach.setAttribute("aria-label", t("attach"));
      attach.title = t("attach");
      box.value = "";
      complete.close();
      problem.textContent = "";
      setFiles([]);
    },
  };
}
