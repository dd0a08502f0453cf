// What a terminal would show of a command's output: colours, lines that were written over, and nothing else.

import { add, h } from "./dom.js";
import { CONTROL, ESCAPE, lines, visible } from "./escapes.js";

interface Style {
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  strike: boolean;
  inverse: boolean;
  /** A number of the palette, or a colour. */
  front?: number | string;
  back?: number | string;
}

const PLAIN: Style = { bold: false, dim: false, italic: false, underline: false, strike: false, inverse: false };

export interface Span {
  text: string;
  style: Style;
}

/** The output in runs of one style. */
export function spans(output: string): Span[] {
  const found: Span[] = [];
  let style = PLAIN;
  let from = 0;
  const push = (text: string): void => {
    const clean = text.replace(CONTROL, "");
    const last = found.at(-1);
    if (clean === "") return;
    if (last?.style === style) last.text += clean;
    else found.push({ text: clean, style });
  };
  const text = lines(output);
  for (const match of text.matchAll(ESCAPE)) {
    push(text.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === "m" && match[1] !== undefined && /^[\d;:]*$/.test(match[1])) style = styled(style, match[1]);
  }
  push(text.slice(from));
  return found;
}

/** Elements for the output. */
export function render(output: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  for (const { text, style } of spans(output)) {
    const shown = visible(text);
    const classes = names(style);
    if (classes === "" && typeof style.front !== "string" && typeof style.back !== "string") {
      add(fragment, shown);
      continue;
    }
    const span = h("span", { class: classes }, shown);
    // Set by script: the page's policy forbids style attributes.
    if (typeof style.front === "string") span.style.color = style.front;
    if (typeof style.back === "string") span.style.backgroundColor = style.back;
    fragment.append(span);
  }
  return fragment;
}

function styled(before: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map((code) => (code === "" ? 0 : Number(code)));
  let style = { ...before };
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? 0;
    if (code === 0) style = { ...PLAIN };
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 7) style.inverse = true;
    else if (code === 9) style.strike = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code === 27) style.inverse = false;
    else if (code === 29) style.strike = false;
    else if (code >= 30 && code <= 37) style.front = code - 30;
    else if (code >= 90 && code <= 97) style.front = code - 82;
    else if (code >= 40 && code <= 47) style.back = code - 40;
    else if (code >= 100 && code <= 107) style.back = code - 92;
    else if (code === 39) delete style.front;
    else if (code === 49) delete style.back;
    else if (code === 38 || code === 48) {
      let colour: number | string | undefined;
      if (codes[i + 1] === 5) {
        colour = palette(codes[i + 2]);
        i += 2;
      } else if (codes[i + 1] === 2) {
        const [r, g, b] = codes.slice(i + 2, i + 5).map((part) => Math.min(255, part));
        if (b !== undefined) colour = `rgb(${r}, ${g}, ${b})`;
        i += 4;
      }
      if (colour === undefined) continue;
      if (code === 38) style.front = colour;
      else style.back = colour;
    }
  }
  return style;
}

/** A colour of the 256: the first 16 are the theme's. */
function palette(index: number | undefined): number | string | undefined {
  if (index === undefined || !(index >= 0 && index <= 255)) return undefined;
  if (index < 16) return index;
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return `rgb(${grey}, ${grey}, ${grey})`;
  }
  const at = index - 16;
  const level = (step: number): number => (step === 0 ? 0 : 55 + step * 40);
  return `rgb(${level(Math.floor(at / 36))}, ${level(Math.floor(at / 6) % 6)}, ${level(at % 6)})`;
}

function names(style: Style): string {
  const found = (["bold", "dim", "italic", "underline", "strike", "inverse"] as const).filter((name) => style[name]);
  const classes: string[] = found.map((name) => `ansi-${name}`);
  if (typeof style.front === "number") classes.push(`ansi-front-${style.front}`);
  if (typeof style.back === "number") classes.push(`ansi-back-${style.back}`);
  return classes.join(" ");
}
