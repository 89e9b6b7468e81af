// @ts-check
// Other workspaces: switching, adding one, installing the app there and taking it out again.

import { post } from "./control.js";
import { button, icon, make, toast } from "./dom.js";
import { ask, labelled } from "./dialogs.js";
import { form } from "./adding.js";
import { menuButton } from "./menu.js";
import { changed, loadWorkspace, store } from "./store.js";
import { t } from "./words.js";

// The first workspace has its name in the language of the person who looks at it.
const nameOf = (one) => (one.team_id === store.workspace.workspaces[0].team_id ? t("workspace") : one.name);
const current = () => store.workspace.workspaces.find((one) => one.team_id === store.workspace.team_id);
export const workspaceName = () => nameOf(current());

const switchTo = (team) => location.assign(`/?${new URLSearchParams({ team })}`);

export function workspaceHead() {
  if (store.workspace.workspaces.length === 1) return make("div", { class: "workspace-name" }, workspaceName());
  return menuButton({ class: "workspace-name", title: t("switchWorkspace"), "data-focus": "workspaces" }, [make("span", {}, workspaceName()), icon("down", 15)], () => store.workspace.workspaces.map((one) => ({
    label: nameOf(one), note: one.installed ? null : t("notInstalledShort"), chosen: one === current(), choose: () => one !== current() && switchTo(one.team_id) })));
}

export function addWorkspaceButton() {
  const { install_url, workspaces } = store.workspace;
  return install_url || workspaces.length > 1 ? button({ class: "side-add", onclick: addWorkspace }, icon("plus", 16), t("addWorkspace")) : null;
}

function addWorkspace() {
  const name = labelled(t("name"), make("input", { type: "text", autocomplete: "off", maxlength: "40" }));
  const same = make("input", { type: "checkbox" });
  form(t("addWorkspace"), [name.row, make("label", { class: "choice" }, same, make("span", {}, t("sameIds"), make("small", {}, t("sameIdsNote"))))], async () => {
    const text = name.control.value.trim();
    name.say(text ? "" : t("nameMissing"));
    if (!text) {
      name.control.focus();
      return false;
    }
    const { team_id } = await post("workspaces", { name: text, like: same.checked ? store.workspace.team_id : null });
    return () => switchTo(team_id);
  });
}

export function installNotice() {
  const { app_name: app, install_url, installed, team_id } = store.workspace;
  if (installed) return null;
  const href = install_url && `${install_url}?${new URLSearchParams({ team: team_id })}`;
  return make("p", { class: "notice", role: "status" }, icon("info", 16),
    make("span", {}, t(install_url ? "notInstalled" : "notInstallable", { app, workspace: workspaceName() })),
    href && make("a", { class: "primary", href, target: "_blank", rel: "noopener" }, t("install", { app })));
}

export function uninstallButton() {
  const { app_name: app, install_url, installed, workspaces } = store.workspace;
  if (!installed || !(install_url || workspaces.length > 1)) return null;
  return make("p", {}, button({ class: "danger outlined", onclick: async () => {
    const sure = await ask({ title: t("uninstallAsk", { app, workspace: workspaceName() }), text: t("uninstallNote", { app }), confirm: t("uninstall", { app }), deny: t("cancel"), danger: true });
    if (!sure) return;
    try {
      await post("uninstall", {});
      await loadWorkspace();
      changed("home");
    } catch (error) {
      toast(error.message, "problem");
    }
  } }, t("uninstall", { app })));
}
