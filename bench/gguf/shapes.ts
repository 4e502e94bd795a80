/**
 * Shapes of models worth measuring, by name.
 *
 * Owns: the numbers. Must not know: files, weights.
 */
export interface ModelShape {
  readonly architecture: "qwen2" | "llama";
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  readonly positions: number;
  /** The output is the embedding matrix. */
  readonly tied: boolean;
}

const qwen = { architecture: "qwen2", vocabulary: 151_936, positions: 32_768, tied: true } as const;

/** Qwen2.5's sizes, a small llama, and one for tests. */
export const shapes = {
  "0.5b": { ...qwen, width: 896, layers: 24, heads: 14, kvHeads: 2, feedForward: 4864 },
  "1.5b": { ...qwen, width: 1536, layers: 28, heads: 12, kvHeads: 2, feedForward: 8960 },
  "7b": {
    ...{ ...qwen, width: 3584, layers: 28, heads: 28, kvHeads: 4, feedForward: 18_944 },
    ...{ vocabulary: 152_064, tied: false },
  },
  "llama-135m": {
    ...{ architecture: "llama", width: 576, layers: 30, heads: 9, kvHeads: 3, feedForward: 1536 },
    ...{ vocabulary: 49_152, positions: 8192, tied: true },
  },
  tiny: { ...qwen, width: 64, layers: 2, heads: 2, kvHeads: 1, feedForward: 128, vocabulary: 1024, positions: 2048 },
} as const satisfies Record<string, ModelShape>;

export type ShapeName = keyof typeof shapes;
export const shapeNames = Object.keys(shapes) as readonly ShapeName[];
