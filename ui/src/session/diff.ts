/** Reading a unified diff as git prints it. */

export type LineKind = "hunk" | "add" | "del" | "same" | "meta";
export interface Line {
  kind: LineKind;
  text: string;
  /** Line numbers in the old and the new file. */
  old: number | null;
  new: number | null;
}
export interface FilePatch {
  path: string;
  lines: Line[];
  added: number;
  removed: number;
}

/** One entry for each file, in git's order; a cut end is shown as far as it goes. */
export function patches(text: string): FilePatch[] {
  const files: FilePatch[] = [];
  let file: FilePatch | null = null;
  let left = 0;
  let right = 0;
  let hunk = false;
  for (const raw of text.split("\n")) {
    if (raw.startsWith("diff --git ")) {
      file = { path: named(raw), lines: [], added: 0, removed: 0 };
      files.push(file);
      hunk = false;
      continue;
    }
    if (!file) continue;
    const at = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(raw);
    if (at) {
      hunk = true;
      left = Number(at[1]);
      right = Number(at[2]);
      file.lines.push({ kind: "hunk", text: raw, old: null, new: null });
    } else if (!hunk) {
      if (raw.startsWith("+++ b/")) file.path = raw.slice(6).replace(/\t$/, "");
      else if (
        raw.startsWith("rename from ") ||
        raw.startsWith("Binary files ") ||
        raw.startsWith("new file")
      )
        file.lines.push({ kind: "meta", text: raw, old: null, new: null });
    } else if (raw.startsWith("+")) {
      file.added += 1;
      file.lines.push({ kind: "add", text: raw.slice(1), old: null, new: right++ });
    } else if (raw.startsWith("-")) {
      file.removed += 1;
      file.lines.push({ kind: "del", text: raw.slice(1), old: left++, new: null });
    } else if (raw.startsWith(" ")) {
      file.lines.push({ kind: "same", text: raw.slice(1), old: left++, new: right++ });
    } else if (raw.startsWith("\\")) {
      file.lines.push({ kind: "meta", text: raw.slice(2), old: null, new: null });
    }
  }
  return files;
}

/** The new name in `diff --git a/x b/x`; names with blanks and quotes come out of the `+++` line later. */
function named(header: string): string {
  const rest = header.slice("diff --git ".length);
  const middle = rest.indexOf(" b/");
  return middle < 0 ? rest : rest.slice(middle + 3);
}
