// Words for people, in the language of the editor where there is a translation. The page brings it along, so that no word is shown
// before it.

const words = document.getElementById("app")?.dataset["words"];
const bundle: Readonly<Record<string, string>> = words === undefined ? {} : (JSON.parse(words) as Record<string, string>);

/** A sentence, with `{0}` and so on replaced. */
export function t(sentence: string, ...values: (string | number)[]): string {
  return (bundle[sentence] ?? sentence).replace(/\{(\d+)\}/g, (whole, index: string) => String(values[Number(index)] ?? whole));
}
