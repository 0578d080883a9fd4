import type { Timer } from "../time/timeline.ts";
import type { CompositeWatch, SuppressedBy, Watch } from "./alarm-watch.ts";
import type { Surroundings } from "./service.ts";

interface Ports {
  find(alarm: string): Watch | undefined;
  /** Changes nothing but whether the actions are suppressed, and tells of it. */
  set(watch: CompositeWatch, by: SuppressedBy | undefined): void;
}

/**
 * Suppression of the actions of a composite alarm by another alarm. When the composite changes, it waits
 * for its suppressor to go to ALARM (WaitPeriod); as long as the suppressor is there, it does nothing
 * (Alarm); after that it waits again (ExtensionPeriod). Then the actions follow the state it has by then.
 * Source: "Alarm suppression" in the CloudWatch user guide. Only the word in the event is modelled: there
 * are no actions here.
 */
export class Suppression {
  readonly #surroundings: Surroundings;
  readonly #ports: Ports;
  readonly #timers = new Map<CompositeWatch, Timer>();

  constructor(surroundings: Surroundings, ports: Ports) {
    this.#surroundings = surroundings;
    this.#ports = ports;
  }

  /** What holds the actions of a composite back that changes now. */
  begin(watch: CompositeWatch): SuppressedBy | undefined {
    const suppressor = this.#suppressorOf(watch);
    if (!suppressor) return undefined;
    if (suppressor.state.value === "ALARM") return "Alarm";
    // In its extension already: what changes in it comes when that is over.
    if (watch.state.suppressedBy === "ExtensionPeriod") return "ExtensionPeriod";
    this.#later(watch, watch.input.ActionsSuppressorWaitPeriod ?? 0);
    return "WaitPeriod";
  }

  /** To be called whenever an alarm has changed that may be somebody's suppressor. */
  settle(composites: CompositeWatch[]): void {
    for (const watch of composites) {
      const by = watch.state.suppressedBy;
      if (by === undefined) continue;
      const isOn = this.#suppressorOf(watch)?.state.value === "ALARM";
      if (isOn && by !== "Alarm") {
        this.forget(watch);
        this.#ports.set(watch, "Alarm");
      }
      if (!isOn && by === "Alarm") {
        this.#later(watch, watch.input.ActionsSuppressorExtensionPeriod ?? 0);
        this.#ports.set(watch, "ExtensionPeriod");
      }
    }
  }

  forget(watch: CompositeWatch): void {
    this.#timers.get(watch)?.cancel();
    this.#timers.delete(watch);
  }

  #suppressorOf({ input }: CompositeWatch): Watch | undefined {
    const name = input.ActionsSuppressor;
    return name === undefined ? undefined : this.#ports.find(name);
  }

  #later(watch: CompositeWatch, seconds: number): void {
    this.forget(watch);
    const release = () => {
      this.#timers.delete(watch);
      this.#ports.set(watch, undefined);
    };
    this.#timers.set(watch, this.#surroundings.timeline.after(seconds * 1000, release));
  }
}
