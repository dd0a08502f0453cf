// Called by VS Code in its extension host: runs all tests of this folder, in one start.

import Mocha from "mocha";

export async function run(): Promise<void> {
  const mocha = new Mocha({ ui: "tdd", timeout: 120_000, reporter: "spec", color: false });
  mocha.suite.emit("pre-require", globalThis, "", mocha);
  // Only now are `suite` and `test` there.
  await import("./activation.test.js");
  await import("./push.test.js");
  await import("./verbs.test.js");
  await import("./window.test.js");
  await new Promise<void>((resolve, reject) => {
    mocha.run((failures) => (failures > 0 ? reject(new Error(`${failures} tests failed`)) : resolve()));
  });
}
