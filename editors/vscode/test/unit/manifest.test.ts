// What the manifest names is there, and the other way round.

import { readdirSync, readFileSync } from "node:fs";

import { expect, test } from "vitest";

const root = new URL("../../", import.meta.url);
const text = (file: string) => readFileSync(new URL(file, root), "utf8");
const manifest = JSON.parse(text("package.json")) as {
  icon: string;
  contributes: {
    commands: { command: string }[];
    menus: Record<string, { command: string; alt?: string; when?: string }[]>;
    walkthroughs: { steps: { media: { markdown: string } }[] }[];
    configuration: { properties: Record<string, unknown> };
  };
};
const names = JSON.parse(text("package.nls.json")) as Record<string, string>;
const sources = readdirSync(new URL("src", root)).map((file) => text(`src/${file}`));
const pages = readdirSync(new URL("webview", root)).filter((file) => file.endsWith(".ts")).map((file) => text(`webview/${file}`));
const commands = manifest.contributes.commands.map(({ command }) => command);

test("each text of the manifest has its words, and no words are left over", () => {
  const used = [...text("package.json").matchAll(/"%([^"%]+)%"/g)].map(([, name]) => name!);
  expect([...new Set(used)].sort()).toEqual(Object.keys(names).sort());
});

test("menus, welcome views and walkthroughs call commands that there are", () => {
  const called = [
    ...Object.values(manifest.contributes.menus).flat().map(({ command }) => command),
    ...Object.values(names).flatMap((words) => [...words.matchAll(/\(command:([\w.]+)\)/g)].map(([, name]) => name!)),
  ];
  expect(called.filter((command) => !commands.includes(command))).toEqual([]);
});

test("each command is in the palette, in a menu, or called by the extension", () => {
  const { commandPalette = [], ...menus } = manifest.contributes.menus;
  const hidden = commandPalette.filter(({ when }) => when === "false").map(({ command }) => command);
  const elsewhere = Object.values(menus).flat().flatMap(({ command, alt }) => [command, alt]);
  expect(hidden.filter((command) => !elsewhere.includes(command) && !sources.some((source) => source.includes(`"${command}"`)))).toEqual([]);
});

test("what a person can do with an agent stands in the menu of its row", () => {
  const verbs = [.../const VERBS[^{]*\{([\s\S]*?)\n\};/.exec(text("src/commands.ts"))![1]!.matchAll(/^ {2}(\w+): \{/gm)].map(([, name]) => `aloft.${name}`);
  const row = manifest.contributes.menus["view/item/context"]!.filter(({ when }) => when?.includes("aloft.threads")).flatMap(({ command, alt }) => [command, alt]);
  expect(verbs.length).toBeGreaterThan(20);
  expect(verbs.filter((verb) => !row.includes(verb))).toEqual([]);
});

test("the files that the manifest names are there", () => {
  const files = [manifest.icon, ...manifest.contributes.walkthroughs.flatMap(({ steps }) => steps.map(({ media }) => media.markdown))];
  for (const file of files) expect(text(file).length).toBeGreaterThan(0);
});

test("each setting is read, and no other", () => {
  const read = [...text("src/config.ts").matchAll(/\bat\.get(?:<[^>]+>)?\("([\w.]+)"/g)].map(([, name]) => `aloft.${name}`);
  expect(read.sort()).toEqual(Object.keys(manifest.contributes.configuration.properties).sort());
});

test("each sentence for people can be translated", () => {
  const bundle = Object.keys(JSON.parse(text("l10n/bundle.l10n.json")) as Record<string, string>);
  // Comments speak of it too.
  const code = [...sources, ...pages].map((source) => source.replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, ""));
  const firsts = code.flatMap((source) => [...source.matchAll(/(?<![\w$.]|function )(?:vscode\.l10n\.)?t\(\s*("(?:[^"\\]|\\.)*"|[^\s)].{0,40})/g)].map(([, first]) => first!));
  expect(firsts.length).toBeGreaterThan(200);
  // An error or a state for people is given words that can be.
  const bare = code.flatMap((source) => [...source.matchAll(/(?:NoProgram|#stop|RequestError)\(\s*["`].{0,40}/g)].map(([found]) => found));
  expect(bare).toEqual([]);
  expect(firsts.filter((first) => !first.startsWith('"') || !bundle.includes(JSON.parse(first) as string))).toEqual([]);
});
