/**
 * How long the event loop was kept from its work.
 *
 * Owns: the measurement. Must not know: what runs meanwhile.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";

/** Milliseconds between two ticks of a timer of 1 ms; an idle loop shows a little over 1. */
export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export async function loopDelayDuring(work: () => Promise<void>): Promise<LoopDelay> {
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  histogram.enable();
  await work();
  histogram.disable();
  const ms = (nanoseconds: number) => nanoseconds / 1e6;
  return { p50: ms(histogram.percentile(50)), p99: ms(histogram.percentile(99)), max: ms(histogram.max) };
}
