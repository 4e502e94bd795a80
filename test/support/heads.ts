/** A reward head of one layer without a bias, always the same: the sum of a state's numbers, weighted by a sine. */
import { writeGguf } from "../../lib/models/gguf.js";

/** `width`: of the model's hidden states. */
export async function writeHead(to: string, width: number): Promise<void> {
  const weights = Float32Array.from({ length: width }, (_, i) => Math.sin(i * 1.7) / 12);
  const tensor = { name: "head.0.weight", type: "F32", columns: width, rows: 1 } as const;
  await writeGguf(to, { "general.architecture": "thinktree-head" }, [
    { ...tensor, data: () => [new Uint8Array(weights.buffer)] },
  ]);
}
