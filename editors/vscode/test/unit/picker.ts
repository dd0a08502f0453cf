// A quick pick in the place of the editor's, in which a test types and picks.

import { EventEmitter } from "./vscode.stub.js";

interface Item {
  label: string;
  description?: string;
  alwaysShow?: boolean;
}

export interface Picker {
  items: Item[];
  activeItems: Item[];
  selectedItems: Item[];
  busy: boolean;
  shown: boolean;
  type: (value: string) => void;
  accept: (label: string) => void;
}

export function stubPicker(): Picker {
  const [changed, accepted, hidden] = [new EventEmitter<string>(), new EventEmitter<void>(), new EventEmitter<void>()];
  const picker = {
    items: [] as Item[], activeItems: [], selectedItems: [] as Item[], busy: false, shown: false,
    show: () => (picker.shown = true), hide: () => hidden.fire(), dispose: () => undefined,
    onDidChangeValue: changed.event, onDidAccept: accepted.event, onDidHide: hidden.event,
    type: (value: string) => changed.fire(value),
    accept: (label: string) => {
      picker.selectedItems = picker.items.filter((item) => item.label.includes(label));
      accepted.fire();
    },
  };
  return picker;
}
