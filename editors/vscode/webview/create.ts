// The form for a new agent. It keeps what was entered, and asks the extension for everything else.

import "./style.css";
import "./create.css";

import { needsAccount, needsKey, thinks } from "./account.js";
import { chip, pasted, walked } from "./box.js";
import { short, type CreateAsks, type CreateTold, type Facts, type Form } from "./create_messages.js";
import { fill, h, say, show } from "./dom.js";
import { History } from "./history.js";
import { t } from "./l10n.js";
import { Link, Refused, vscode } from "./link.js";

const link = new Link<CreateAsks, CreateTold>(vscode(), {
  form: (given) => {
    form = given;
    told = form.attached;
    draw();
    void look();
    prompt.focus();
  },
  changed: () => void look(),
});

let form: Form;
/** What goes along, as the extension knows it. */
let told: Form["attached"];
let facts: Facts = { agents: [], uncommitted: 0, stale: [] };
let looks = 0;
let creating = false;
/** Of the last error. */
let reason = "";
const history = new History();

const prompt = h("textarea", { id: "prompt", rows: 8, oninput: () => (history.typed(), change({ prompt: prompt.value })), onkeydown: (event) => key(event as KeyboardEvent), onpaste: (event) => paste(event as ClipboardEvent) });
const chips = h("div", { class: "chips" });
const files = h("button", { type: "button", class: "secondary", onclick: () => attempt(pickFiles) });
const source = h("button", { type: "button", id: "source", class: "secondary choice", onclick: () => attempt(pickSource) });
const ref = h("button", { type: "button", id: "ref", class: "secondary choice", onclick: () => attempt(pickRef) });
const branch = h("input", { id: "branch", type: "text", spellcheck: "false", oninput: () => change({ branch: branch.value }) });
const issue = h("input", { id: "issue", type: "text", spellcheck: "false", oninput: () => change({ issue: issue.value }) });
const agent = h("select", { id: "agent", onchange: () => change({ agent: agent.value }) });
const model = h("input", { id: "model", type: "text", spellcheck: "false", oninput: () => change({ model: model.value }) });
const mode = h("select", { id: "mode", onchange: () => change({ mode: mode.value as Form["mode"] }) });
const dirty = h("select", { id: "dirty", onchange: () => change({ dirty: dirty.value as Form["dirty"] }) });
const dirtyRow = h("div", { class: "field" });
const hint = h("p", { class: "muted hint" });
const error = h("div", { class: "error", role: "alert" });
const keys = h("button", { type: "button", class: "secondary", onclick: () => attempt(manageKeys) });
const connect = h("button", { type: "button", class: "secondary", onclick: () => attempt(connectAccount) });
const create = h("button", { type: "submit", class: "primary" });
const progress = h("span", { class: "muted", role: "status" });

function build(): void {
  const field = (of: HTMLElement, label: string, row = h("div", { class: "field" })) => {
    fill(row, [h("label", { for: of.id }, label), of]);
    return row;
  };
  branch.placeholder = t("a new one, named by the task");
  issue.placeholder = t("none; a number, key or address");
  model.placeholder = t("the agent's own choice");
  say(files, t("Attach files…"));
  say(keys, t("Model keys…"));
  say(connect, t("Connect…"));
  say(create, t("Create agent"));
  create.title = t("Ctrl+Enter");
  fill(mode, [h("option", { value: "manual" }, t("Manual: asks before it acts")), h("option", { value: "auto" }, t("Auto: acts without asking"))]);
  fill(dirty, [
    h("option", { value: "ignore" }, t("Leave them out")),
    h("option", { value: "carry" }, t("Take them along")),
  ]);
  const whole = h(
    "form",
    { class: "create", "aria-label": t("Create agent"), onsubmit: (event) => (event.preventDefault(), void submit()) },
    h("h1", {}, t("Create agent")),
    h("label", { for: "prompt" }, t("Task")),
    prompt,
    chips,
    h("div", { class: "buttons" }, files, h("span", { class: "muted" }, t("Pictures can be pasted."))),
    h(
      "div",
      { class: "fields" },
      field(source, t("Repository")),
      field(ref, t("Begin at")),
      field(branch, t("Branch")),
      field(issue, t("Issue")),
      field(agent, t("Agent")),
      field(model, t("Model")),
      field(mode, t("Mode")),
      field(dirty, t("Uncommitted changes"), dirtyRow),
    ),
    hint,
    error,
    h("div", { class: "buttons" }, create, keys, connect, progress),
  );
  fill(document.getElementById("app")!, [h("main", {}, whole)]);
}

function draw(): void {
  if (prompt.value !== form.prompt) prompt.value = form.prompt;
  prompt.placeholder = about() ? t("What the issue says, and your own words if you like") : t("What shall the agent do?");
  if (branch.value !== form.branch) branch.value = form.branch;
  if (issue.value !== (form.issue ?? "")) issue.value = form.issue ?? "";
  if (model.value !== form.model) model.value = form.model;
  mode.value = form.mode;
  dirty.value = form.dirty;
  const { path, repository } = form.source;
  say(source, short(form.source) || t("Choose…"));
  source.title = path ?? repository ?? "";
  say(ref, form.ref || (path ? t("what is checked out") : t("the default branch")));
  ref.disabled = !path && !repository;
  const chosen = facts.agents.find(({ name }) => name === form.agent);
  fill(agent, [
    h("option", { value: "" }, t("the first that can be used")),
    ...facts.agents.map(({ name, usable, reason }) =>
      h("option", { value: name, disabled: !usable, title: reason }, usable ? name : t("{0} (cannot be used)", name))),
  ]);
  agent.value = chosen ? form.agent : "";
  say(hint, advice());
  show(hint, hint.textContent !== "");
  show(keys, thoughtless() || needsKey(reason));
  show(dirtyRow, facts.uncommitted > 0);
  const label = dirtyRow.querySelector("label");
  if (label) say(label, t("Uncommitted changes ({0})", facts.uncommitted));
  const drop = (index: number) => change({ attached: form.attached.filter((_, at) => at !== index) });
  fill(chips, form.attached.map((part, index) => chip(part, () => drop(index), facts.stale[index])));
  show(chips, form.attached.length > 0);
  const sourced = path !== undefined || repository !== undefined;
  create.disabled = creating || !sourced || (form.prompt.trim() === "" && form.attached.length === 0 && !about());
  prompt.readOnly = creating;
}

/** Whether it begins with an issue. */
function about(): boolean {
  return (form.issue ?? "").trim() !== "";
}

/** What is to be known of the agent that is chosen. */
function advice(): string {
  if (facts.problem !== undefined) return facts.problem;
  if (thoughtless()) return t("No agent that thinks can be used yet: set a model key, or install claude, codex or opencode. The agent shell needs neither and does what the task says literally.");
  if (form.agent === "shell") return t("The agent shell runs what the task says literally: each line that begins with “$ ” is a command.");
  const chosen = facts.agents.find(({ name }) => name === form.agent);
  return chosen && !chosen.usable ? (chosen.reason ?? "") : "";
}

/** No agent is chosen, and there is none that would be taken. */
function thoughtless(): boolean {
  return form.agent === "" && facts.agents.length > 0 && !thinks(facts.agents);
}

function change(different: Partial<Form>): void {
  form = { ...form, ...different };
  // Something else is another request.
  delete form.requestId;
  keep();
  draw();
  if ("attached" in different) void look();
}

/** Has it written down, for after a reload. */
function keep(): void {
  const { attached, ...words } = form;
  void link.ask("changed", attached === told ? { form: words } : { form: words, attached });
  told = attached;
}

async function look(): Promise<void> {
  const mine = ++looks;
  const found = await link.ask("facts", {});
  // Of several that were asked for meanwhile, the last is true.
  if (mine !== looks) return;
  facts = found;
  draw();
}

async function pickSource(): Promise<void> {
  const picked = await link.ask("pickSource", {});
  if (!picked) return;
  change({ source: picked, ref: "" });
  await look();
}

async function pickRef(): Promise<void> {
  const picked = await link.ask("pickRef", { source: form.source });
  if (picked === null) return;
  change({ ref: picked });
  await look();
}

async function pickFiles(): Promise<void> {
  const parts = await link.ask("pickFiles", { source: form.source });
  if (parts.length > 0) change({ attached: [...form.attached, ...parts] });
}

async function manageKeys(): Promise<void> {
  await link.ask("keys", {});
  // What could not be used may be usable now.
  await look();
}

async function connectAccount(): Promise<void> {
  const { source, issue } = form;
  if (await link.ask("connect", issue === undefined ? { source } : { source, issue })) fail();
}

/** Does something for which a person pressed a button, and tells where it does not work. */
function attempt(work: () => Promise<void>): void {
  work().catch((refused: unknown) => refuse(refused as Refused));
}

async function submit(): Promise<void> {
  if (create.disabled) return;
  creating = true;
  form.requestId ??= crypto.randomUUID();
  keep();
  fail();
  say(progress, t("The agent is being created…"));
  try {
    await link.ask("create", { form });
  } catch (refused) {
    const { unsure } = refused as Refused;
    // It stays in the form. What was refused is asked for under a new id, what may have been done all the same under the same.
    if (!unsure) {
      delete form.requestId;
      keep();
    }
    refuse(refused as Refused);
  } finally {
    creating = false;
    say(progress, "");
    draw();
  }
}

function refuse({ message, hint, reason: why = "" }: Refused): void {
  fail([message, hint].filter(Boolean).join(" · "), why);
}

function fail(words = "", why = ""): void {
  reason = why;
  say(error, words);
  show(error, words !== "");
  show(connect, needsAccount(reason));
  draw();
}

function key(event: KeyboardEvent): void {
  if (event.isComposing) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    void submit();
    return;
  }
  const text = walked(event, prompt, history);
  if (text === undefined) return;
  event.preventDefault();
  change({ prompt: text });
  prompt.setSelectionRange(text.length, text.length);
}

function paste(event: ClipboardEvent): void {
  pasted(event, (picture) => change({ attached: [...form.attached, picture] }), (words) => fail(words));
}

void link.ask("ready", {}).then((ready) => {
  ({ form, facts } = ready);
  told = form.attached;
  for (const text of ready.history) history.add(text);
  build();
  fail();
  prompt.focus();
});
