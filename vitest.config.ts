import { defineConfig } from "vitest/config";

// `fast` runs from TypeScript alone, in seconds and in parallel. `engine` needs the addon (scripts/setup.mjs builds it)
// and runs one file at a time: its tests use every core, and some of them measure.
const engine = ["bench", "bindings", "build", "cli", "engine", "jobs", "models", "native"].map(
  (room) => `test/${room}/**/*.test.ts`,
);
const isolated = ["condition", "flops-budget", "hidden-state", "judge", "tree", "work-ahead"].map(
  (name) => `test/engine/${name}.test.ts`,
);

export default defineConfig({
  test: {
    reporters: ["default", "./scripts/count-reporter.mjs"],
    projects: [
      {
        test: {
          name: "fast",
          include: ["test/**/*.test.ts"],
          exclude: engine,
          testTimeout: 30_000, // on a busy machine
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "engine",
          include: engine,
          pool: "forks",
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // The same engine in a process of its own: what fake-engine.ts loads is.
        test: {
          name: "isolated",
          include: isolated,
          env: { THINKTREE_TEST_ISOLATION: "process" },
          pool: "forks",
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
