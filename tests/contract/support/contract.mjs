// What a forge publishes about its operations, and whether an answer keeps to it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import Ajv from "ajv/dist/2020.js";

export class Contract {
  #ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  #checks = new Map();

  constructor(forge) {
    const file = new URL(`../schemas/${forge}.json`, import.meta.url);
    const { operations, $defs } = JSON.parse(readFileSync(file, "utf8"));
    this.operations = operations;
    this.$defs = $defs;
    /** Operations that were answered. */
    this.seen = new Set();
  }

  /** What is wrong with an answer, in words; nothing, where all is right. */
  answer(operation, status, body) {
    const published = this.operations[operation];
    if (!published) return [`${operation} is not in schemas/`];
    this.seen.add(operation);
    const schema = published.answers[status];
    if (schema === undefined) return [`${operation}: the status ${status} is not published`];
    return this.#wrong(`${operation} ${status}`, schema, body);
  }

  /** What is wrong with a request. */
  request(operation, query, body) {
    const published = this.operations[operation];
    if (!published) return [`${operation} is not in schemas/`];
    const unknown = [...query.keys()].filter((name) => published.query && !published.query.includes(name));
    const wrong = unknown.map((name) => `${operation}: no parameter ${name}`);
    return published.body ? [...wrong, ...this.#wrong(`${operation} body`, published.body, body)] : wrong;
  }

  /** What is wrong with a part of an answer that has the shape `name`. */
  shape(name, value) {
    return this.#wrong(name, { $ref: `#/$defs/${name}` }, value);
  }

  /** The least that the shape `name` allows, with these values in it: what may be null or absent, is. */
  least(name, values = {}) {
    const whole = this.#least({ $ref: `#/$defs/${name}` });
    assert.ok(typeof whole === "object" && whole !== null, `${name} is no object`);
    return { ...whole, ...values };
  }

  #wrong(name, schema, value) {
    if (!this.#checks.has(name)) this.#checks.set(name, this.#ajv.compile({ $defs: this.$defs, ...schema }));
    const check = this.#checks.get(name);
    if (check(value)) return [];
    return check.errors.map((error) => `${name}: ${error.instancePath || "/"} ${error.message} ${JSON.stringify(error.params)}`);
  }

  #least(schema) {
    if (schema === true || schema.const === null) return null;
    if (schema.$ref) return this.#least(this.$defs[schema.$ref.slice("#/$defs/".length)]);
    if ("const" in schema) return schema.const;
    if (schema.enum) return schema.enum.includes(null) ? null : schema.enum[0];
    const either = schema.anyOf ?? schema.oneOf;
    if (either) return either.some((one) => one.type === "null") ? null : this.#least(either[0]);
    if (schema.allOf) return Object.assign({}, ...schema.allOf.map((one) => this.#least(one)));
    const types = [schema.type].flat();
    if (types.includes("null") || types[0] === undefined) return null;
    switch (types[0]) {
      case "string":
        return "";
      case "number":
      case "integer":
        return 0;
      case "boolean":
        return false;
      case "array":
        return [];
      default: {
        const names = schema.required ?? [];
        return Object.fromEntries(names.map((name) => [name, this.#least(schema.properties[name])]));
      }
    }
  }
}
