// Writes schemas/linear.graphql: of Linear's published schema what is asked for here, and nothing else of it.
//
//   node extract_linear.mjs SCHEMA.graphql
//
// The schema is packages/sdk/src/schema.graphql of github.com/linear/linear, here of the commit below.

import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";

import { Kind, parse, print, visit } from "graphql";

const COMMIT = "8335e09a17dd8aa351dace3d05a94a55e78dad2a";
/** Types and their fields; all of them, where none are named. */
const KEPT = {
  Query: ["issue", "viewer"],
  Mutation: ["commentCreate"],
  Issue: ["id", "identifier", "title", "url", "description", "creator", "comments"],
  User: ["id", "name", "displayName", "email"],
  ActorBot: ["name"],
  ExternalUser: ["id", "name", "displayName"],
  CommentConnection: ["nodes"],
  Comment: ["id", "body", "url", "createdAt", "user", "botActor", "externalUser"],
  CommentPayload: ["success", "comment"],
  CommentCreateInput: [],
  PaginationOrderBy: [],
  DateTime: [],
  JSON: [],
};
const SIMPLE = ["ID", "String", "Int", "Float", "Boolean"];

const whole = parse(await readFile(process.argv[2], "utf8"), { noLocation: true });
const known = ({ type }) => {
  while (type.kind !== Kind.NAMED_TYPE) type = type.type;
  return SIMPLE.includes(type.name.value) || type.name.value in KEPT;
};
const definitions = whole.definitions
  .filter((one) => one.name && one.name.value in KEPT)
  .map((one) => {
    const names = KEPT[one.name.value];
    const fields = one.fields
      ?.filter((field) => (names.length === 0 || names.includes(field.name.value)) && known(field))
      .map((field) => (field.arguments ? { ...field, arguments: field.arguments.filter(known) } : field));
    const missing = names.filter((name) => !fields.some((field) => field.name.value === name));
    if (missing.length > 0) throw new Error(`${one.name.value} has no ${missing.join(", ")}`);
    return { ...one, interfaces: [], directives: [], ...(fields && { fields }) };
  });
const cut = visit({ kind: Kind.DOCUMENT, definitions }, {
  enter: (node) => (node.description || node.directives?.length ? { ...node, description: undefined, directives: [] } : undefined),
});
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const head = `# What is asked for here of packages/sdk/src/schema.graphql of github.com/linear/linear, ${COMMIT} (MIT).`;
await writeFile(path.join(here, "schemas/linear.graphql"), `${head}\n\n${print(cut)}\n`);
