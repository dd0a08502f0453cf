// The contracts themselves: what is not as it is published is seen.

import assert from "node:assert/strict";
import test from "node:test";

import { Contract } from "./support/contract.mjs";

test("an answer that lacks something is not taken for one", () => {
  const contract = new Contract("github");
  assert.notDeepEqual(contract.answer("GET /rate_limit", 200, { resources: {}, rate: { limit: 1 } }), []);
  assert.notDeepEqual(contract.answer("GET /user", 418, {}), []);
  assert.notDeepEqual(contract.answer("GET /nothing", 200, {}), []);
  const gitlab = new Contract("gitlab");
  const whole = gitlab.least("OfExpandedMergeRequestSchema");
  const operation = "GET /projects/{id}/merge_requests/{iid}";
  assert.deepEqual(gitlab.answer(operation, 200, whole), []);
  const { iid, ...lacking } = whole;
  assert.notDeepEqual(gitlab.answer(operation, 200, lacking), []);
  assert.notDeepEqual(gitlab.answer(operation, 200, { ...whole, iid: "1" }), []);
  const forgejo = new Contract("forgejo");
  assert.notDeepEqual(forgejo.answer("GET /user", 200, { login: "ada", invented: 1 }), []);
});
