// Elements, made without ever reading text as HTML.

type Listener = (event: Event) => void;
export type Child = Node | string | undefined | false | null;
export type Attributes = Record<string, string | number | boolean | Listener | undefined>;

/** An element with attributes (`onclick` and the like are listeners; false and undefined are left out) and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = String(value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  add(element, ...children);
  return element;
}

/** Appends what is there of these. */
export function add(parent: Element | DocumentFragment, ...children: Child[]): void {
  for (const child of children) {
    if (child === undefined || child === false || child === null) continue;
    parent.append(child);
  }
}

/** Makes these the children, touching only what differs: what has the focus keeps it. */
export function fill(parent: Element, children: readonly Child[]): void {
  const wanted = children.filter((child): child is Node | string => child !== undefined && child !== false && child !== null);
  let at = parent.firstChild;
  for (const child of wanted) {
    if (child === at) {
      at = at.nextSibling;
      continue;
    }
    if (typeof child === "string") parent.insertBefore(document.createTextNode(child), at);
    else parent.insertBefore(child, at);
  }
  while (at) {
    const next: ChildNode | null = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** Sets a text where it differs, so that a screen reader hears no change where none is. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Shows or hides. */
export function show(element: HTMLElement, shown: boolean): void {
  if (element.hidden === shown) element.hidden = !shown;
}
