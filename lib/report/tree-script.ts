/**
 * The tree viewer's behaviour, as text: runs in the reader's browser, once for all viewers of a page.
 *
 * Owns: going from round to round, showing a step's details, arrow keys. Without it, the last round is shown. A viewer whose
 * tree has grown is told so by the event "grown"; it then shows the newest round, unless its reader has gone back to another.
 * Must not know: the network.
 */
export const treeScript = `
for (const tree of document.querySelectorAll(".tree")) {
  const controls = tree.querySelector(".tree-controls");
  const slider = tree.querySelector("input");
  const [back, forth] = tree.querySelectorAll("button");
  const status = tree.querySelector(".tree-status");
  const [note, text] = tree.querySelector(".tree-details").children;
  const steps = () => [...tree.querySelectorAll(".step")];
  const last = () => Math.max(1, Number(tree.dataset.rounds));
  let followed = last();

  function show(round) {
    const rounds = last();
    const count = { written: 0, pruned: 0, solutions: 0 };
    for (const part of tree.querySelectorAll("[data-round]")) {
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
    controls.hidden = rounds < 2;
    slider.max = followed = rounds;
    slider.value = round;
    slider.setAttribute("aria-valuetext", "round " + round + " of " + rounds);
    back.disabled = round <= 1;
    forth.disabled = round >= rounds;
    const words = "Round " + round + " of " + rounds + ": " + count.written + " steps written, " + count.pruned +
      " pruned, " + count.solutions + (count.solutions === 1 ? " solution" : " solutions");
    if (status.textContent !== words) status.textContent = words;
  }

  function tell(step) {
    tree.querySelector(".told")?.classList.remove("told");
    step.classList.add("told");
    note.textContent = step.dataset.note;
    text.textContent = step.dataset.text;
  }

  function go(step) {
    for (const other of steps()) other.tabIndex = other === step ? 0 : -1;
    step.focus();
  }

  function neighbour(step, key) {
    const seen = steps().filter((other) => !other.classList.contains("later"));
    const place = (other) => other.getAttribute("transform").match(/[\\d.]+/g).map(Number);
    const [x, y] = place(step);
    const column = seen.filter((other) => place(other)[0] === x).sort((a, b) => place(a)[1] - place(b)[1]);
    const children = seen.filter((other) => other.dataset.parent === step.id);
    if (key === "ArrowLeft") return seen.find((other) => other.id === step.dataset.parent);
    if (key === "ArrowRight") return children.sort((a, b) => place(a)[1] - place(b)[1])[0];
    if (key === "ArrowUp") return column[column.indexOf(step) - 1];
    if (key === "ArrowDown") return column[column.indexOf(step) + 1];
  }

  const stepOf = (event) => event.target.closest(".step");
  slider.addEventListener("input", () => show(Number(slider.value)));
  for (const button of [back, forth]) {
    button.addEventListener("click", () => show(Number(slider.value) + Number(button.dataset.go)));
  }
  for (const kind of ["pointerover", "focusin"]) {
    tree.addEventListener(kind, (event) => stepOf(event) && tell(stepOf(event)));
  }
  tree.addEventListener("click", (event) => stepOf(event) && go(stepOf(event)));
  tree.addEventListener("keydown", (event) => {
    const next = stepOf(event) && neighbour(stepOf(event), event.key);
    if (!next) return;
    event.preventDefault();
    go(next);
  });
  tree.addEventListener("grown", () => show(Number(slider.value) >= followed ? last() : Number(slider.value)));
  show(last());
}
`;
