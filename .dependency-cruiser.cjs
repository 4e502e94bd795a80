// The layers of docs/design: imports in lib/ go down only. (scripts/check-layers.mjs holds what imports cannot show.)
const floors = [
  ["engine"],
  ["models", "remote"],
  ["verifiers"],
  ["strategies"],
  ["scheduler"],
  ["grading"],
  ["benchmark", "evaluation", "report", "training"],
  ["jobs", "page"],
  ["cli", "server"],
];

const room = (rooms) => `^lib/(${rooms.join("|")})/`;
const forbid = (name, from, to) => ({ name, severity: "error", from, to });

module.exports = {
  forbidden: [
    ...floors
      .slice(0, -1)
      .map((rooms, floor) =>
        forbid(`${rooms[0]}-looks-up`, { path: room(rooms) }, { path: room(floors.slice(floor + 1).flat()) }),
      ),
    forbid("room-imports-index", { path: "^lib/[^/]+/" }, { path: "^lib/index\\.ts$" }),
    // Strategies and verifiers know the contract of a tree, not what grows it: so a toy tree tests them.
    forbid(
      "beyond-the-contract",
      { path: [room(["strategies", "verifiers"]), "^lib/engine/search-tree\\.ts$"] },
      { path: "^lib/engine/", pathNot: "^lib/engine/search-tree\\.ts$" },
    ),
    forbid(
      "models-know-weights-alone",
      { path: room(["models"]) },
      { path: "^lib/engine/", pathNot: "^lib/engine/weights\\.ts$" },
    ),
    // Its types, such as the ledger's, are everyone's.
    forbid(
      "addon-outside-engine",
      { path: "^lib/", pathNot: "^lib/engine/" },
      { path: "^lib/engine/addon\\.ts$", dependencyTypesNot: ["type-only"] },
    ),
    forbid("circular", {}, { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } }),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
  },
};
