// Writes schemas/: what GitHub, GitLab, Forgejo and Jira publish about the operations of operations.json, and nothing else of it.
//
//   node extract.mjs [FORGE…]
//
// GitHub's OpenAPI description comes from @octokit/openapi; the shapes of GitLab and Forgejo from the types of
// @gitbeaker/core and of @llamaduck/forgejo-ts, which is generated from Forgejo's own description; those of Jira from
// jira.js, which checks every answer it gets. Linear's schema is cut by extract_linear.mjs. The packages are put into a folder
// that is removed again, for they are large. Run it anew when a version below changes, and commit what it wrote.

import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";

const PACKAGES = {
  github: "@octokit/openapi@23.0.2",
  gitlab: "@gitbeaker/core@43.8.0",
  forgejo: "@llamaduck/forgejo-ts@15.0.9",
  jira: "jira.js@6.2.0",
};
const TOOLS = ["ts-json-schema-generator@2.4.0", "typescript@5.9.3"];
/** Keywords that say nothing about which values are right. */
const NOISE = new Set(["example", "examples", "externalDocs", "x-github", "format", "title", "$comment", "deprecated"]);

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const operations = JSON.parse(await readFile(path.join(here, "operations.json"), "utf8"));
const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(PACKAGES);
const folder = await mkdtemp(path.join(tmpdir(), "contract-"));
try {
  await writeFile(path.join(folder, "package.json"), "{}");
  execFileSync(
    "npm",
    ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", ...wanted.map((forge) => PACKAGES[forge]), ...TOOLS],
    { cwd: folder, stdio: "inherit" },
  );
  const how = { github, gitlab: () => typed("gitlab"), forgejo: () => typed("forgejo"), jira };
  for (const forge of wanted) await keep(forge, await how[forge]());
} finally {
  await rm(folder, { recursive: true });
}

async function keep(forge, found) {
  const file = path.join(here, "schemas", `${forge}.json`);
  await writeFile(file, `${JSON.stringify({ source: PACKAGES[forge], ...found }, null, 0)}\n`);
}

/** By path and method: what may be asked, and what is answered with which status. */
async function github() {
  const file = path.join(folder, "node_modules/@octokit/openapi/generated/api.github.com.json");
  const whole = JSON.parse(await readFile(file, "utf8"));
  const defs = {};
  const found = {};
  /** A component becomes a definition of ours, with all that it needs. */
  const refer = (reference) => {
    const parts = reference.slice(2).split("/");
    const target = parts.reduce((at, part) => at[part.replaceAll("~1", "/")], whole);
    if (parts[1] !== "schemas") return clean(target, refer);
    const name = parts.at(-1);
    if (!(name in defs)) {
      defs[name] = true;
      defs[name] = clean(target, refer);
    }
    return { $ref: `#/$defs/${name}` };
  };
  for (const operation of operations.github) {
    const [method, address] = operation.split(" ");
    const at = whole.paths[address][method.toLowerCase()];
    const resolve = (part) => (part.$ref ? refer(part.$ref) : clean(part, refer));
    const query = (at.parameters ?? []).map(resolve).filter((parameter) => parameter.in === "query");
    const body = at.requestBody && resolve(at.requestBody).content["application/json"].schema;
    const answers = {};
    for (const [status, answer] of Object.entries(at.responses)) {
      answers[status] = resolve(answer).content?.["application/json"]?.schema ?? true;
    }
    found[operation] = { query: query.map((parameter) => parameter.name), body, answers };
  }
  return { operations: found, $defs: defs };
}

/** Of a package of types: the types that are answered. A method of the forge that is not listed is none that is used. */
async function typed(forge) {
  const names = [...new Set(Object.values(operations[forge]).flat())];
  const source = path.join(folder, `${forge}.ts`);
  const from = PACKAGES[forge].slice(0, PACKAGES[forge].lastIndexOf("@"));
  const lines = names.map((name) => `export type Of${name} = ${name};`);
  await writeFile(source, `import type { ${names.join(", ")} } from "${from}";\n${lines.join("\n")}\n`);
  await writeFile(
    path.join(folder, "tsconfig.json"),
    JSON.stringify({ compilerOptions: { module: "nodenext", strict: true, skipLibCheck: true, target: "es2022" } }),
  );
  const { createGenerator } = createRequire(path.join(folder, "x.js"))("ts-json-schema-generator");
  const generator = createGenerator({
    path: source,
    tsconfig: path.join(folder, "tsconfig.json"),
    type: "*",
    skipTypeCheck: true,
    jsDoc: "none",
    additionalProperties: false,
  });
  const { definitions } = generator.createSchema("*");
  const moved = (reference) => ({
    $ref: `#/$defs/${decodeURIComponent(reference.slice("#/definitions/".length))}`,
  });
  const $defs = Object.fromEntries(
    Object.entries(definitions).map(([name, schema]) => [name, clean(schema, moved)]),
  );
  const shape = (type) =>
    Array.isArray(type) ? { type: "array", items: shape(type[0]) } : { $ref: `#/$defs/Of${type}` };
  const found = Object.entries(operations[forge]).map(([operation, type]) => {
    const status = operation.startsWith("POST") ? 201 : 200;
    return [operation, { answers: { [status]: shape(type) } }];
  });
  return { operations: Object.fromEntries(found), $defs };
}

/** Of what jira.js holds answers to; a document and an attachment stand in fields that have no shape of their own. */
async function jira() {
  const from = path.join(folder, "jira.mjs");
  await writeFile(from, 'export * as models from "jira.js/cloud";\nexport { z } from "zod";\n');
  const { models, z } = await import(from);
  const names = new Set([...Object.values(operations.jira), "Attachment", "Document"]);
  const $defs = {};
  for (const name of names) {
    const schema = z.toJSONSchema(models[`${name}Schema`], { unrepresentable: "any", io: "input" });
    $defs[`Of${name}`] = closed(clean(schema, () => true));
  }
  const found = Object.entries(operations.jira).map(([operation, type]) => {
    const status = operation.startsWith("POST") ? 201 : 200;
    return [operation, { answers: { [status]: { $ref: `#/$defs/Of${type}` } } }];
  });
  return { operations: Object.fromEntries(found), $defs };
}

/** The same without room for fields that nobody published. */
function closed(value) {
  if (Array.isArray(value)) return value.map(closed);
  if (value === null || typeof value !== "object") return value;
  const kept = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, closed(inner)]));
  if (kept.properties && kept.additionalProperties) kept.additionalProperties = false;
  delete kept.$schema;
  return kept;
}

/** A schema without what says nothing about values, with `nullable` as JSON Schema writes it. */
function clean(value, refer, inProperties = false) {
  if (Array.isArray(value)) return value.map((one) => clean(one, refer));
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$ref === "string" && !inProperties) return refer(value.$ref);
  const kept = {};
  for (const [key, inner] of Object.entries(value)) {
    if (!inProperties && (NOISE.has(key) || key === "nullable")) continue;
    if (!inProperties && key === "description" && typeof inner === "string") continue;
    kept[key] = clean(inner, refer, !inProperties && key === "properties");
  }
  return !inProperties && value.nullable === true ? { anyOf: [kept, { type: "null" }] } : kept;
}
