// Patches as `git diff` prints them: cut into hunks, put together again, and turned into the texts before and after.

export interface Hunk {
  /** First line before, counted from 1; 0 where there was none. */
  oldStart: number;
  oldLines: number;
  newStart: number;
  newLines: number;
  /** Lines with their sign, and `\ No newline` lines. */
  lines: string[];
  /** What stands behind the second `@@`. */
  section: string;
}

export interface Patch {
  /** What is before the first hunk, with its line ends. */
  head: string;
  hunks: Hunk[];
}

const HEADER = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@(.*)$/;

/** The patch of one file. */
export function parse(text: string): Patch {
  const head: string[] = [];
  const hunks: Hunk[] = [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  for (const line of lines) {
    const match = HEADER.exec(line);
    const hunk = hunks.at(-1);
    if (match && (hunk === undefined || isFull(hunk))) {
      const [, oldStart, oldLines = "1", newStart, newLines = "1", section = ""] = match;
      hunks.push({ oldStart: Number(oldStart), oldLines: Number(oldLines), newStart: Number(newStart), newLines: Number(newLines), lines: [], section });
    } else if (hunk) hunk.lines.push(line);
    else head.push(line);
  }
  return { head: head.map((line) => `${line}\n`).join(""), hunks };
}

function isFull(hunk: Hunk): boolean {
  const count = (signs: string): number => hunk.lines.filter((line) => signs.includes(line.charAt(0) || " ")).length;
  return count(" -") >= hunk.oldLines && count(" +") >= hunk.newLines;
}

/** A patch with only some of its hunks; the lines after are counted anew. */
export function only(patch: Patch, wanted: readonly number[]): string {
  let moved = 0;
  const parts = patch.hunks.flatMap((hunk, index) => {
    if (!wanted.includes(index)) return [];
    // A side without lines names the line before it.
    const before = hunk.oldLines === 0 ? hunk.oldStart + 1 : hunk.oldStart;
    const first = before + moved;
    const newStart = hunk.newLines === 0 ? first - 1 : first;
    moved += hunk.newLines - hunk.oldLines;
    return [print(hunk, newStart)];
  });
  return parts.length === 0 ? "" : patch.head + parts.join("");
}

function print(hunk: Hunk, newStart: number): string {
  const header = `@@ -${hunk.oldStart},${hunk.oldLines} +${newStart},${hunk.newLines} @@${hunk.section}`;
  return `${[header, ...hunk.lines].join("\n")}\n`;
}

/** Which hunk a line of the text after stands in, counted from 0; -1 where in none. */
export function hunkAt(patch: Patch, line: number): number {
  return patch.hunks.findIndex((hunk) => {
    const first = hunk.newLines === 0 ? hunk.newStart : hunk.newStart - 1;
    return line >= Math.max(0, first - 1) && line <= first + Math.max(1, hunk.newLines);
  });
}

/** What a patch shows of the texts before and after, where the whole ones are not at hand. */
export function sides(patch: Patch): { before: string; after: string } {
  const side = (sign: "-" | "+"): string =>
    patch.hunks
      .map((hunk) => {
        let text = "";
        let taken = false;
        for (const line of hunk.lines) {
          // The line before has no end.
          if (line.startsWith("\\")) {
            if (taken) text = text.slice(0, -1);
            continue;
          }
          taken = line.startsWith(sign) || line.startsWith(" ") || line === "";
          if (taken) text += `${line.slice(1)}\n`;
        }
        return text;
      })
      .join(patch.hunks.length > 1 ? "⋯\n" : "");
  return { before: side("-"), after: side("+") };
}
