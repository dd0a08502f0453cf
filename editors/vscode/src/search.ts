// A picker that shows what is known at once, and what is found elsewhere by the words that a person types.

import * as vscode from "vscode";

/** Who has not typed for this long is asked for. */
const SETTLE_MS = 200;

export interface Search<T extends vscode.QuickPickItem> {
  readonly placeHolder: string;
  /** Shown first, once they are known. */
  readonly known: Promise<readonly T[]>;
  /** What is found by these words, and what is said at the end of all. */
  readonly look: (query: string, token: vscode.CancellationToken) => Promise<{ found: readonly T[]; last?: readonly T[] }>;
  /** Shown after what was found. */
  readonly others: readonly T[];
}

/** The item that was picked; undefined when nobody did. */
export function search<T extends vscode.QuickPickItem>({ placeHolder, known, look, others }: Search<T>): Promise<T | undefined> {
  const picker = vscode.window.createQuickPick<T>();
  picker.placeholder = placeHolder;
  picker.matchOnDescription = true;
  picker.keepScrollPosition = true;
  let first: readonly T[] = [];
  let found: readonly T[] = [];
  let last: readonly T[] = [];
  const draw = (): void => {
    const [active] = picker.activeItems;
    picker.items = [...first, ...found, ...others, ...last];
    // Who has moved to an entry stays there.
    const again = picker.items.find((item) => item === active);
    if (again) picker.activeItems = [again];
  };
  let timer: NodeJS.Timeout | undefined;
  let asking: vscode.CancellationTokenSource | undefined;
  const ask = async (query: string): Promise<void> => {
    asking?.cancel();
    const mine = (asking = new vscode.CancellationTokenSource());
    picker.busy = true;
    const answer = await look(query, mine.token);
    if (asking !== mine) return;
    ({ found, last = [] } = answer);
    picker.busy = false;
    draw();
  };
  draw();
  picker.show();
  void ask("");
  void known.then((items) => {
    first = items;
    draw();
  });
  return new Promise((resolve) => {
    picker.onDidChangeValue((value) => {
      clearTimeout(timer);
      timer = setTimeout(() => void ask(value.trim()), SETTLE_MS);
    });
    picker.onDidAccept(() => {
      resolve(picker.selectedItems[0]);
      picker.hide();
    });
    picker.onDidHide(() => {
      clearTimeout(timer);
      asking?.cancel();
      asking = undefined;
      picker.dispose();
      resolve(undefined);
    });
  });
}
