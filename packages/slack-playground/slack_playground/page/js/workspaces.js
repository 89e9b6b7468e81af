// @ts-check
// Other workspaces: switching, and installing the app there.

import { icon, make } from "./dom.js";
import { menuButton } from "./menu.js";
import { store } from "./store.js";
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

export function installNotice() {
  const { app_name: app, install_url, installed, team_id } = store.workspace;
  if (installed) return null;
  const href = install_url && `${install_url}?${new URLSearchParams({ team: team_id })}`;
  return make("p", { class: "notice", role: "status" }, icon("info", 16),
    make("span", {}, t(install_url ? "notInstalled" : "notInstallable", { app, workspace: workspaceName() })),
    href && make("a", { class: "primary", href, target: "_blank", rel: "noopener" }, t("install", { app })));
}
