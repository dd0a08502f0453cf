// Words for people, in the language of the editor where there is a translation.

let bundle: Record<string, string> = {};

/** Takes the translations that the extension has. */
export function translate(words: Record<string, string> | undefined): void {
  bundle = words ?? {};
}

/** A sentence, with `{0}` and so on replaced. */
export function t(sentence: string, ...values: (string | number)[]): string {
  const words = bundle[sentence] ?? sentence;
  return words.replace(/\{(\d+)\}/g, (whole, index: string) => String(values[Number(index)] ?? whole));
}
