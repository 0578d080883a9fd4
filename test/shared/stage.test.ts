import { describe, expect, it } from "vitest";
import production from "../../nightshift.config.ts";
import { defineConfig } from "../../shared/config.ts";
import { processRuntime } from "../../shared/runtime.ts";
import { configOf, stageVariable } from "../../shared/stage.ts";

describe("the operator's file", () => {
  it("is production's as it stands, also where nobody names a stage", () => {
    expect(configOf("production", production)).toBe(production);
    expect(processRuntime({}, production).config).toBe(production);
  });

  it("is a smaller one for a personal stage, in its functions as in its stacks", () => {
    const { config } = processRuntime({ [stageVariable]: "ana" }, production);
    expect(config).toEqual(configOf("ana", production));
    expect(config.domain.name).toBe("ana.app.example.com");
    // More would be asked of a group than it may have.
    expect(config.sizes.application).toMatchObject({ minimum: 1, desired: 1, maximum: 2 });
  });

  it("is still one that may be deployed", () => {
    expect(() => defineConfig(configOf("ana", production))).not.toThrow();
  });
});
