/**
 * Modelled AWS time. All of `local/` schedules on a timeline and never on the machine's clock, so
 * that the same state machines run scaled (a drill) and virtual (a test, a simulation).
 */
export interface Timeline {
  /** Modelled milliseconds since 1970. */
  now(): number;
  /** Runs `act` once after modelled `milliseconds`. Errors that it throws end the run. */
  after(milliseconds: number, act: () => void | Promise<void>): Timer;
  /** Runs `act` every modelled `milliseconds`, first after one period, until cancelled. */
  every(milliseconds: number, act: () => void | Promise<void>): Timer;
  sleep(milliseconds: number): Promise<void>;
  /** Cancels everything that is still due. */
  close(): void;
}

export interface Timer {
  cancel(): void;
}
