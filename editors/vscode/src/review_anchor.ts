// Where a comment stands after the file changed.

export interface Anchor {
  /** First and last line, counted from 0. */
  start: number;
  end: number;
  /** The lines as they were commented on. */
  text: string;
}

/** The lines of an anchor in a text; undefined where they are not there any more. */
export function locate(anchor: Anchor, content: string): { start: number; end: number } | undefined {
  const lines = content.split(/\r?\n/);
  const wanted = anchor.text.split("\n");
  const fits = (at: number): boolean => at >= 0 && at + wanted.length <= lines.length && wanted.every((line, index) => lines[at + index] === line);
  if (fits(anchor.start)) return { start: anchor.start, end: anchor.end };
  if (anchor.text.trim() === "") return undefined;
  // The nearest place with the same lines.
  for (let away = 1; away < lines.length; away++) {
    for (const at of [anchor.start - away, anchor.start + away]) {
      if (fits(at)) return { start: at, end: at + wanted.length - 1 };
    }
  }
  return undefined;
}
