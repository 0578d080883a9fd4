import type { Ink } from "./ink.ts";
import { type LiveSample, writesOf } from "./live.ts";
import type { Moment } from "./recorder.ts";
import { clip, minutes, padded, plain } from "./words.ts";

/** What is drawn again and again while things break and are repaired. */
export const repairsLive = (region: string, stories: number) => {
  const samples: LiveSample[] = [];
  let now = 0;
  let brokenAt: number | undefined;
  let title = "";
  let told = 0;
  let last = "all is well so far";
  const at = (milliseconds: number) => {
    now = Math.max(now, milliseconds);
  };
  return {
    incident: at,
    story: (name: string, atMilliseconds: number) => {
      at(atMilliseconds);
      title = name;
      brokenAt = atMilliseconds;
      told += 1;
    },
    moment: ({ atMilliseconds, who, text }: Moment) => {
      at(atMilliseconds);
      if (who.startsWith("remediation in")) last = text;
    },
    sample: (sample: LiveSample) => {
      at(sample.atMilliseconds);
      samples.push(sample);
    },
    lines: (columns: number, ink: Ink): string[] => {
      const label = (text: string) => ink(padded(text, 16), "dim");
      const since =
        brokenAt === undefined ? "" : ink(`  for ${minutes((now - brokenAt) / 1000)}`, "dim");
      const which = title === "" ? "nothing yet" : `${told} of ${stories}: ${title}`;
      return [
        ` ${label("broken")}${ink(clip(plain(which), columns - 30), "bold")}${since}`,
        ` ${label("users' writes")}${writesOf(samples, region, columns - 17, ink)}`,
        ` ${label("Nightshift")}${clip(plain(last), columns - 19)}`,
      ];
    },
  };
};
