/**
 * The tree viewer's behaviour, as text: runs in the reader's browser, once for all viewers of a page.
 *
 * Owns: going from round to round, showing a step's details, arrow keys. Without it, the last round is shown.
 * Must not know: the network.
 */
export const treeScript = `
for (const tree of document.querySelectorAll(".tree")) {
  const slider = tree.querySelector("input");
  const [back, forth] = tree.querySelectorAll("button");
  const parts = [...tree.querySelectorAll("[data-round]")];
  const steps = [...tree.querySelectorAll(".step")];
  const rounds = Number(tree.dataset.rounds);
  const status = tree.querySelector(".tree-status");
  const [note, text] = tree.querySelector(".tree-details").children;

  function show(round) {
    const count = { written: 0, pruned: 0, solutions: 0 };
    for (const part of parts) {
      const { round: from, pruned, count: equal } = part.dataset;
      const there = Number(from) <= round;
      const gone = pruned !== "" && Number(pruned) <= round;
      part.classList.toggle("later", !there);
      part.classList.toggle("pruned", gone);
      if (!there || !equal || part.classList.contains("given")) continue;
      count.written += Number(equal);
      if (gone) count.pruned += Number(equal);
      if (part.classList.contains("solution")) count.solutions++;
    }
    tree.classList.toggle("final", round >= rounds);
    slider.value = round;
    slider.setAttribute("aria-valuetext", "round " + round + " of " + rounds);
    back.disabled = round <= 1;
    forth.disabled = round >= rounds;
    status.textContent = "Round " + round + " of " + rounds + ": " + count.written + " steps written, " + count.pruned +
      " pruned, " + count.solutions + (count.solutions === 1 ? " solution" : " solutions");
  }

  function tell(step) {
    for (const other of steps) other.classList.toggle("told", other === step);
    note.textContent = step.dataset.note;
    text.textContent = step.dataset.text;
  }

  function go(step) {
    for (const other of steps) other.tabIndex = other === step ? 0 : -1;
    step.focus();
  }

  function neighbour(step, key) {
    const seen = steps.filter((other) => !other.classList.contains("later"));
    const follows = (other) => other.dataset.parent === step.id;
    const level = (other) => other.getAttribute("transform").split(",")[0];
    const column = seen.filter((other) => level(other) === level(step));
    if (key === "ArrowLeft") return seen.find((other) => other.id === step.dataset.parent);
    if (key === "ArrowRight") return seen.find(follows);
    if (key === "ArrowUp") return column[column.indexOf(step) - 1];
    if (key === "ArrowDown") return column[column.indexOf(step) + 1];
  }

  slider.addEventListener("input", () => show(Number(slider.value)));
  for (const button of [back, forth]) {
    button.addEventListener("click", () => show(Number(slider.value) + Number(button.dataset.go)));
  }
  for (const step of steps) {
    step.addEventListener("pointerenter", () => tell(step));
    step.addEventListener("focus", () => tell(step));
    step.addEventListener("click", () => go(step));
    step.addEventListener("keydown", (event) => {
      const next = neighbour(step, event.key);
      if (!next) return;
      event.preventDefault();
      go(next);
    });
  }
  show(rounds);
}
`;
