/**
 * Published solutions of real models with the correctness labels that come with them.
 *
 * Owns: the files' layouts. Must not know: graders.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";

export interface LabelledFile {
  readonly name: string;
  readonly solutions: readonly { readonly text: string; readonly reference: string; readonly right: boolean }[];
}

interface Row {
  readonly answer: string;
  readonly completions: readonly string[];
  readonly correct?: readonly (0 | 1)[];
}

/** Of a folder laid out as openr's and search-and-learn's samples are lent: see bench/README.md. */
export function labelledFiles(folder: string): LabelledFile[] {
  const lines = readdirSync(join(folder, "sal"))
    .filter((name) => /\.jsonl(?:\.gz)?$/.test(name) && !name.includes(".labels."))
    .map((name) => ofLines(join(folder, "sal", name)));
  return [openr(folder), ...lines].filter(({ solutions }) => solutions.length > 0);
}

function openr(folder: string): LabelledFile {
  const name = "openr_math500_n4_prm";
  const rows = JSON.parse(read(join(folder, `${name}.json.gz`))) as {
    groundtruth: string;
    output: { text: string }[];
  }[];
  const labels = JSON.parse(read(join(folder, `${name}.labels.json`))) as boolean[][];
  const solutions = rows.flatMap(({ groundtruth: reference, output }, i) =>
    output.map(({ text }, j) => ({ text, reference, right: labels[i]![j]! })),
  );
  return { name, solutions };
}

/** One JSON object a line; labels in it, or line by line in a file beside it. A last line that was cut off is left out. */
function ofLines(path: string): LabelledFile {
  const base = path.replace(/\.jsonl(?:\.gz)?$/, "");
  const beside = `${base}.labels.jsonl`;
  const labels = existsSync(beside) ? rowsOf(read(beside)) : [];
  const solutions = rowsOf(read(path)).flatMap(({ answer, completions, correct }, i) =>
    (correct ?? labels[i]?.correct ?? []).map((label, j) => ({
      ...{ text: completions[j]!, reference: `\\boxed{${answer}}`, right: label === 1 },
    })),
  );
  return { name: basename(base), solutions };
}

function rowsOf(text: string): Row[] {
  const rows: Row[] = [];
  for (const line of text.split("\n")) {
    try {
      rows.push(JSON.parse(line) as Row);
    } catch {
      return rows; // blank, or cut off
    }
  }
  return rows;
}

function read(path: string): string {
  const bytes = readFileSync(path);
  return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}
