// Bundles the extension, the pages of its webviews, and the tests that run inside VS Code.
// usage: node esbuild.mjs [--tests] [--watch]

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

import * as esbuild from "esbuild";

const tests = process.argv.includes("--tests");
const common = { bundle: true, minify: !tests, sourcemap: "linked", logLevel: "warning", legalComments: "none" };
const node = { ...common, platform: "node", format: "cjs", target: "node20", external: ["vscode"] };

const builds = [
  { ...node, entryPoints: ["src/main.ts"], outfile: "dist/main.cjs" },
  {
    ...common,
    entryPoints: ["thread", "dashboard", "create"].map((name) => `webview/${name}.ts`).filter((file) => existsSync(file)),
    outdir: "dist/webview",
    format: "iife",
    target: "es2022",
  },
];
if (tests && existsSync("test/host/index.ts")) {
  builds.push({ ...node, entryPoints: ["test/host/index.ts"], outfile: "dist/test/host.cjs", external: ["vscode", "mocha"] });
}

// The sentences that can be translated, for whoever makes `l10n/bundle.l10n.LANGUAGE.json` of them.
const sentences = ["src", "webview"]
  .flatMap((folder) => readdirSync(folder).filter((file) => file.endsWith(".ts")).map((file) => readFileSync(`${folder}/${file}`, "utf8")))
  .flatMap((text) => [...text.matchAll(/\bt\(\s*("(?:[^"\\]|\\.)*")/g)].map(([, literal]) => JSON.parse(literal)));
mkdirSync("l10n", { recursive: true });
const bundle = Object.fromEntries([...new Set(sentences)].sort().map((sentence) => [sentence, sentence]));
writeFileSync("l10n/bundle.l10n.json", `${JSON.stringify(bundle, null, 1)}\n`);

if (process.argv.includes("--watch")) {
  for (const build of builds) await (await esbuild.context(build)).watch();
} else {
  await Promise.all(builds.map((build) => esbuild.build(build)));
}
