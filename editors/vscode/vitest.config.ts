import { fileURLToPath } from "node:url";

import { defineConfig } from "vitest/config";

const stub = fileURLToPath(new URL("./test/unit/vscode.stub.ts", import.meta.url));

export default defineConfig({
  resolve: { alias: { vscode: stub } },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      { extends: true, test: { name: "unit", include: ["test/unit/*.test.ts"] } },
      { extends: true, test: { name: "webview", include: ["test/webview/*.test.ts"], environment: "jsdom" } },
    ],
  },
});
