import { defineConfig } from "vitest/config";

/** Whole programs with processes of their own, after all else: they wait more than they work. */
const drills = ["test/drill/{cli,repairs-cli,resume}.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: "forks",
    projects: [
      {
        extends: true,
        test: {
          name: "tests",
          include: ["test/**/*.test.ts"],
          exclude: drills,
          // Two cores: more workers only make real processes slower and noisier.
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          name: "drills",
          include: drills,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
