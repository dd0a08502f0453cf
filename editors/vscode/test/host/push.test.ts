import assert from "node:assert/strict";

import { agent, aloft, cli, until } from "./support.js";

suite("push", () => {
  test("what others do is learnt without asking", async () => {
    const { ctx, view, status } = await aloft();
    await until("the list", () => ctx.threads.loaded);
    const states: string[] = [];
    const heard = ctx.threads.onDidChange(({ id, thread }) => states.push(`${id} ${thread?.state ?? "gone"}`));
    const { id } = await agent("$ echo done > made.txt", "--mode", "manual", "--title", "Asks first");
    await until("the question", () => ctx.threads.get(id)?.state === "requiresAction");
    await until("the badge", () => view.view?.badge?.value === 1);
    assert.match(status.text, /1 needs you/);
    await cli("answer", id, "allow");
    await until("the end", () => ctx.threads.get(id)?.lastTurn?.state === "completed");
    await until("no badge", () => view.view?.badge === undefined);
    await until("the change", () => ctx.threads.get(id)?.diff.files === 1);
    await cli("rename", id, "Was renamed");
    await until("the title", () => ctx.threads.get(id)?.title === "Was renamed");
    await cli("delete", id, "--yes");
    await until("its end", () => !ctx.threads.get(id));
    heard.dispose();
    assert.ok(states.includes(`${id} running`) && states.at(-1) === `${id} gone`, states.join("\n"));
  });

  test("a change is learnt within a second of the cloud's word", async () => {
    const { ctx } = await aloft();
    const { id } = await agent("$ true", "--title", "Quick");
    await until("the end", () => ctx.threads.get(id)?.lastTurn?.state === "completed");
    const laps: number[] = [];
    for (let round = 0; round < 5; round++) {
      const learnt = new Promise<void>((resolve) => {
        const heard = ctx.threads.onDidChange((change) => change.thread?.title === `Round ${round}` && (heard.dispose(), resolve()));
      });
      await cli("rename", id, `Round ${round}`);
      const told = performance.now();
      await learnt;
      laps.push(performance.now() - told);
    }
    // The best of some: the machine may be busy, the way is the same.
    assert.ok(Math.min(...laps) < 1000, laps.join(" "));
    await cli("delete", id, "--yes");
  });

  test("a bridge that was killed misses nothing", async () => {
    const { ctx, view } = await aloft();
    const before = ctx.bridge.pid!;
    process.kill(before, "SIGKILL");
    const { id } = await agent("$ true", "--title", "Made meanwhile");
    await until("another bridge", () => ctx.bridge.ready && ctx.bridge.pid !== before);
    await until("the new agent", () => ctx.threads.get(id)?.lastTurn?.state === "completed");
    assert.equal(ctx.threads.all().filter((thread) => thread.id === id).length, 1);
    const rows = view.getChildren().flatMap((row) => view.getChildren(row));
    assert.equal(new Set(rows.map((row) => JSON.stringify(row))).size, ctx.threads.all().length);
    await cli("delete", id, "--yes");
    await until("its end", () => !ctx.threads.get(id));
  });
});
