/**
 * Who sits in which slot of a llama.cpp server, and what it is asked to write and to score.
 *
 * Owns: forks, requests, what a slot holds. Must not know: how the server is run, what is measured.
 */
import { familiesOf, type RecordedRound } from "./recorded-tree.js";
import type { Completion, ServerProcess } from "./server-process.js";
import { tag, temperature } from "./work.js";

export interface Place {
  readonly slot: number;
  /** What the model has read so far. A generator's slot holds all but the last of it. */
  readonly path: readonly number[];
}

const idOf = (character: string) => character.charCodeAt(0); // bytes are tokens
const sampling = { samplers: ["top_k", "temperature"], top_k: 40, temperature };
const scoring = {
  ...{
    n_predict: 1,
    samplers: ["top_k", "temperature"],
    top_k: 2,
    temperature: 1,
    n_probs: 2,
    post_sampling_probs: true,
  },
  // The models never write bytes: their logits are far below all others.
  logit_bias: [tag.positive, tag.negative].map((text) => [idOf(text), 1000]),
};
const answerFields = ["tokens", "id_slot", "timings", "completion_probabilities"];

/** One server and who sits in which of its slots. */
export class Seats {
  /** Prompt tokens that were decoded, again or for the first time. */
  promptTokens = 0;

  constructor(
    private readonly server: ServerProcess,
    private readonly slots: number,
  ) {}

  async complete(body: object): Promise<Completion[]> {
    const completions = await this.server.complete({
      cache_prompt: true,
      return_tokens: true,
      response_fields: answerFields,
      ...body,
    });
    this.promptTokens += completions[0]!.timings.prompt_n;
    return completions;
  }

  async read(prompt: readonly number[]): Promise<Place> {
    await this.complete({ prompt, n_predict: 0, id_slot: 0 });
    return { slot: 0, path: prompt };
  }

  /** A slot for each branch of the round: its parent's, or a copy of it. */
  async fork(parents: readonly Place[], round: RecordedRound): Promise<Place[]> {
    const families = familiesOf(round).map((family) => ({ ...family, from: parents[Math.max(family.parent, 0)]! }));
    const kept = new Set(families.map(({ from }) => from.slot));
    const free = Array.from({ length: this.slots }, (_, slot) => slot).filter((slot) => !kept.has(slot));
    const copied = families.filter(({ count }) => count > 1);
    await Promise.all(copied.map(({ from }) => this.server.save(from.slot)));
    const copies: Promise<void>[] = [];
    const places = families.flatMap(({ from, count }) =>
      Array.from({ length: count }, (_, i) => {
        if (i === 0) return from;
        const slot = free.shift()!;
        copies.push(this.server.restore(slot, from.slot));
        return { ...from, slot };
      }),
    );
    await Promise.all(copies);
    return places;
  }

  async copy(from: number, to: number): Promise<void> {
    await this.server.save(from);
    await this.server.restore(to, from);
  }
}

type Grow = (parents: readonly Place[], round: RecordedRound) => Promise<Place[]>;

/** Each branch has a slot of its own. */
export function byBranches(seats: Seats): Grow {
  return async (parents, round) => {
    const places = await seats.fork(parents, round);
    return Promise.all(
      places.map(async ({ slot, path }, i) => {
        const request = { ...sampling, prompt: path, id_slot: slot, n_predict: round.lengths[i], seed: i };
        const [completion] = await seats.complete(request);
        return { slot, path: [...path, ...completion!.tokens] };
      }),
    );
  };
}

/** Siblings are one request. Their parents sit in the last slots, for the server takes the first free ones for siblings. */
export function byFamilies(seats: Seats, slots: number): Grow {
  let held = new Map<number, readonly number[]>();
  let owed = 0;
  return async (parents, round) => {
    const families = familiesOf(round).map(({ parent, first, count }) => {
      owed += round.lengths.slice(first, first + count).reduce((sum, length) => sum + length, 0);
      const length = Math.max(1, Math.round(owed / count));
      owed -= length * count;
      return { path: parents[Math.max(parent, 0)]!.path, count, length };
    });
    const seated = assign(
      families.map(({ path }) => path),
      held,
      slots,
    );
    for (const { slot, copyOf } of seated) if (copyOf !== undefined) await seats.copy(copyOf, slot);
    held = new Map();
    const places = await Promise.all(
      families.map(async ({ path, count, length }, i) => {
        const { slot } = seated[i]!;
        const request = { ...sampling, prompt: path, id_slot: slot, n_cmpl: count, n_predict: length, seed: i };
        return (await seats.complete(request)).map(({ id_slot, tokens }) => {
          const place = { slot: id_slot, path: [...path, ...tokens] };
          if (id_slot === slot) held.set(slot, place.path);
          return place;
        });
      }),
    );
    return places.flat();
  };
}

/** For each path one of the last slots: that which holds most of it, else a copy of that. */
export function assign(
  paths: readonly (readonly number[])[],
  held: ReadonlyMap<number, readonly number[]>,
  slots: number,
): { slot: number; copyOf?: number }[] {
  const free = new Set(paths.map((_, i) => slots - 1 - i));
  const wishes = paths.map((path, i) => {
    const shares = [...held].map(([slot, tokens]) => ({ slot, alike: commonPrefix(path, tokens) }));
    return { i, best: shares.sort((a, b) => b.alike - a.alike)[0] };
  });
  const seated = new Array<{ slot: number; copyOf?: number }>(paths.length);
  for (const { i, best } of wishes.sort((a, b) => (b.best?.alike ?? 0) - (a.best?.alike ?? 0))) {
    const own = best !== undefined && free.has(best.slot) ? best.slot : undefined;
    // A copy may not be made onto a slot that another path wishes for.
    const other = [...free].find((slot) => !wishes.some(({ best }) => best?.slot === slot)) ?? [...free][0]!;
    const slot = own ?? other;
    free.delete(slot);
    seated[i] = best === undefined || own !== undefined ? { slot } : { slot, copyOf: best.slot };
  }
  return seated;
}

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  const end = a.findIndex((token, i) => token !== b[i]);
  return end === -1 ? a.length : end;
}

/** Whether each step is right, by the verifier. Returns where its branches sit now. */
export async function scored(
  reader: Seats,
  places: readonly Place[],
  steps: readonly (readonly number[])[],
): Promise<Place[]> {
  return Promise.all(
    places.map(async ({ slot, path }, i) => {
      const whole = [...path, ...steps[i]!, idOf(tag.tag)];
      const [completion] = await reader.complete({ ...scoring, prompt: whole, id_slot: slot });
      const drawn = completion!.completion_probabilities?.[0]?.top_probs ?? [];
      if (!drawn.some(({ token }) => token === tag.positive)) throw new Error("the server gave no score");
      return { slot, path: whole };
    }),
  );
}
