// Runs dist/test/host.cjs inside the extension host of a real VS Code; ends with the tests' verdict and counts.

import { execFile } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { format, promisify } from "node:util";

import { ALOFT, Home } from "../../../../tests/jsonrpc/support/home.mjs";
import { withBridge } from "./bridge.mjs";
import { launchBrowser, startVsCode } from "./vscode.mjs";

const LIMIT_MS = 300_000;
const extension = fileURLToPath(new URL("../../", import.meta.url)).replace(/\/$/, "");
const shots = fileURLToPath(new URL("../../../../target/vscode-shots", import.meta.url));
const bench = fileURLToPath(new URL("../../../../target/bench", import.meta.url));

const home = await Home.create();
let server, browser;
let code = 1;
const begun = Date.now();
try {
  const folder = await home.repository();
  // The list is measured with the cloud up, as it is on all days but the first.
  await withBridge(home, async (request) => {
    const titles = Array.from({ length: 100 }, (_, at) => `Agent ${at}`);
    await Promise.all(titles.map((title) => request("thread/create", { path: folder, agent: "shell", title })));
  });
  console.log(`100 threads after ${Date.now() - begun} ms`);
  server = await startVsCode({
    testDriver: true,
    env: { ...home.env, ALOFT_TEST_BENCH: bench, ALOFT_TEST_PROGRAM: ALOFT, ALOFT_TEST_FOLDER: folder },
    settings: { "aloft.path": ALOFT },
  });
  browser = await launchBrowser();
  const page = await (await browser.newContext({ viewport: { width: 1400, height: 900 } })).newPage();
  const ended = new Promise((resolve) => void page.exposeFunction("codeAutomationExit", resolve));
  await page.exposeFunction("codeAutomationLog", (type, words) => {
    const line = format(...words);
    if (!/Ignoring fetching|ServiceWorker|gallery|grace time|Could not locate the bindings|native watchdog|watchdog|\[spdlog\]/i.test(line)) console.log(line);
  });
  const at = `vscode-remote://${server.authority}`;
  const payload = [
    ["extensionDevelopmentPath", at + extension],
    ["extensionTestsPath", `${at}${extension}/dist/test/host.cjs`],
    ["skipWelcome", "true"],
  ];
  // A workspace of one folder: where a second one comes, the extension host is not started anew.
  const workspace = home.path("window.code-workspace");
  await writeFile(workspace, JSON.stringify({ folders: [{ path: folder }] }));
  await page.goto(`${server.url}/?workspace=${workspace}&payload=${encodeURIComponent(JSON.stringify(payload))}`);
  const limit = new Promise((resolve) => setTimeout(resolve, LIMIT_MS, "no end in time").unref());
  code = await Promise.race([ended, limit]);
  if (code === 0) {
    const memory = fileURLToPath(new URL("memory.cjs", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", memory, ALOFT], { env: home.env });
    const figures = { ...JSON.parse(await readFile(`${bench}/vscode.json`, "utf8")), ...JSON.parse(stdout) };
    figures.goals.extensionHeapBytes = 30 << 20;
    await writeFile(`${bench}/vscode.json`, `${JSON.stringify(figures, null, 1)}\n`);
    console.log(stdout.trim());
  } else {
    await mkdir(shots, { recursive: true });
    await page.screenshot({ path: `${shots}/host-failed.png` });
    console.log(`the tests in the extension host: ${code}`);
    for (const file of globSync(`${server.data}/**/*Aloft*.log`)) console.log(readFileSync(file, "utf8").split("\n").slice(-80).join("\n"));
    console.log(server.log().slice(-5000));
  }
} finally {
  await browser?.close();
  await server?.stop();
  await home.close();
}
process.exit(code === 0 ? 0 : 1);
