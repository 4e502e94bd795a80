/**
 * The page of `thinktree serve`, used as people do.
 *
 * Owns: its parts by name. Must not know: what is asked.
 */
import type { Page } from "../support/browser.js";

export const textOf = (page: Page, selector: string) =>
  page.evaluate<string>(`document.querySelector(${JSON.stringify(selector)}).textContent.trim()`);
export const focused = (page: Page) => page.evaluate<string>(`document.activeElement.id`);
export const answered = `document.querySelector("#answer").textContent !== ""`;

/** Whoever asks with the keys alone: the field has the focus. */
export async function askWith(page: Page, question: string): Promise<void> {
  await page.evaluate(`document.querySelector("#question").select()`);
  await page.type(question);
  await page.press("Enter");
}

export async function choose(page: Page, strategy: string, generations: number): Promise<void> {
  const set = (id: string, value: string) => `document.querySelector("#${id}").value = "${value}"`;
  await page.evaluate(`${set("strategy", strategy)}; ${set("generations", String(generations))}; 0`);
}
