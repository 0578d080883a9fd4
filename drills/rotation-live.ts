import type { Ink } from "./ink.ts";
import { type LiveSample, writesOf } from "./live.ts";
import type { Moment } from "./recorder.ts";
import { clip, minutes, padded, plain } from "./words.ts";

/** What is drawn again and again while secrets are rotated. */
export const rotationLive = (home: string, acts: number) => {
  const samples: LiveSample[] = [];
  let now = 0;
  let begunAt: number | undefined;
  let title = "";
  let told = 0;
  let last = "nothing is rotated yet";
  const at = (milliseconds: number) => {
    now = Math.max(now, milliseconds);
  };
  return {
    incident: at,
    act: (name: string, atMilliseconds: number) => {
      at(atMilliseconds);
      title = name;
      begunAt = atMilliseconds;
      told += 1;
    },
    moment: ({ atMilliseconds, who, text }: Moment) => {
      at(atMilliseconds);
      if (/^(rotation|retirement) in /.test(who)) last = text;
    },
    sample: (sample: LiveSample) => {
      at(sample.atMilliseconds);
      samples.push(sample);
    },
    lines: (columns: number, ink: Ink): string[] => {
      const label = (text: string) => ink(padded(text, 16), "dim");
      const since =
        begunAt === undefined ? "" : ink(`  for ${minutes((now - begunAt) / 1000)}`, "dim");
      const which = title === "" ? "not yet" : `${told} of ${acts}: ${title}`;
      return [
        ` ${label("secret")}${ink(clip(plain(which), columns - 30), "bold")}${since}`,
        ` ${label("users' writes")}${writesOf(samples, home, columns - 17, ink)}`,
        ` ${label("rotation")}${clip(plain(last), columns - 19)}`,
      ];
    },
  };
};
