/**
 * Where every step of a recorded search stands in its picture: columns by depth, rows by branch.
 *
 * Owns: places, the order of siblings, which equal pruned siblings are drawn as one.
 * Must not know: SVG, colours, the strategy.
 */
import type { RecordedStep, TreeRecording } from "./recording.js";

/** One box: a step, or several equal ones that all led nowhere; in a large tree unequal ones too. */
export interface Box {
  readonly step: RecordedStep;
  /** How many pruned siblings it stands for, of which it is the best; 1: itself. */
  readonly count: number;
  /** Whether they are all equal. */
  readonly alike: boolean;
  /** On the way to the chosen solution. */
  readonly chosen: boolean;
  /** From 1: the column. Column 0, row 0 is the question's. */
  readonly depth: number;
  /** From 0; in rows, not always a whole number. */
  readonly row: number;
  /** The box it follows; null: the question. */
  readonly parent: Box | null;
}

export interface Layout {
  /** Column by column, each from top to bottom. */
  readonly boxes: readonly Box[];
  readonly rows: number;
  readonly columns: number;
}

/** In a tree of more steps, all siblings that were pruned together are one box: nobody reads thousands. */
const crowd = 1_000;
/** Room between the children of one step and those of the next. */
const gap = 0.35;

export function layOut({ steps, chosen }: TreeRecording): Layout {
  const children = new Map<number | null, RecordedStep[]>();
  for (const step of steps) children.set(step.parent, [...(children.get(step.parent) ?? []), step]);
  const path = new Set<number>();
  // The chosen solution begins where its attempt does.
  for (let id = chosen; id !== null; id = steps[id]!.given ? null : steps[id]!.parent) path.add(id);

  const boxes: Box[] = [];
  /** The first free row of each column: columns are packed, and branches stay in order. */
  const free: number[] = [];
  const place = (id: number | null, parent: Box | null, depth: number): void => {
    const groups = grouped(children.get(id) ?? [], (child) => !children.has(child), path, steps.length > crowd);
    for (const { step, count, alike } of groups) {
      // A new attempt begins at the left again, below all there is.
      const column = step.given ? 1 : depth;
      const row = step.given ? Math.max(0, ...free.filter(Boolean)) : Math.max(free[column] ?? 0, parent?.row ?? 0);
      const box = { step, count, alike, chosen: path.has(step.id), depth: column, row, parent };
      boxes.push(box);
      free[column] = row + 1;
      place(step.id, box, column + 1);
    }
    if (groups.length > 1) free[depth]! += gap;
  };
  place(null, null, 1);
  boxes.sort((a, b) => a.depth - b.depth || a.row - b.row);
  return {
    boxes,
    rows: Math.max(1, ...free.filter(Boolean)),
    columns: 1 + Math.max(0, ...boxes.map(({ depth }) => depth)),
  };
}

interface Group {
  step: RecordedStep;
  count: number;
  alike: boolean;
}

/** Siblings from the chosen through the kept to the pruned, best score first, pruned leaves that look the same as one. */
function grouped(
  siblings: readonly RecordedStep[],
  isLeaf: (id: number) => boolean,
  path: ReadonlySet<number>,
  crowded: boolean,
): Group[] {
  const groups = new Map<string, Group>();
  for (const step of siblings) {
    const fate = [step.round, step.pruned];
    const foldable = step.pruned !== null && isLeaf(step.id);
    const key = foldable ? JSON.stringify(crowded ? fate : [step.text, lookOf(step), ...fate]) : `#${step.id}`;
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { step, count: 1, alike: true });
      continue;
    }
    group.count++;
    group.alike &&= step.text === group.step.text && lookOf(step) === lookOf(group.step);
    if (crowded && (step.score ?? -1) > (group.step.score ?? -1)) group.step = step;
  }
  const standing = ({ id, pruned }: RecordedStep) => (path.has(id) ? 0 : pruned === null ? 1 : 2);
  return [...groups.values()].sort(
    ({ step: a }, { step: b }) => standing(a) - standing(b) || (b.score ?? -1) - (a.score ?? -1) || a.id - b.id,
  );
}

/** A score as it is shown. */
function lookOf({ score }: RecordedStep): string | undefined {
  return score?.toFixed(2);
}
