/**
 * The lines of a file, one after the other, without holding the file in memory.
 *
 * Owns: where lines end: at "\n" and nowhere else, since JSON may hold the other separators that readline splits at.
 * Must not know: what the lines mean.
 */

export interface Line {
  /** Without its line break. */
  readonly text: string;
  /** Counted from 1. */
  readonly number: number;
  /** Bytes of the file up to and including the line. */
  readonly end: number;
  /** False for a last line without a line break. */
  readonly whole: boolean;
}

export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let pieces: Buffer[] = [];
  let number = 0;
  let end = 0;
  const line = (whole: boolean): Line => {
    const bytes = Buffer.concat(pieces);
    pieces = [];
    end += bytes.length + Number(whole);
    return { text: bytes.toString("utf8"), number: ++number, end, whole };
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(lineBreak); at >= 0; at = chunk.indexOf(lineBreak, from)) {
      pieces.push(chunk.subarray(from, at));
      from = at + 1;
      yield line(true);
    }
    if (from < chunk.length) pieces.push(chunk.subarray(from));
  }
  if (pieces.length > 0) yield line(false);
}

const lineBreak = 0x0a;
