/** Things that were started, and how each is stopped. Stopped from the top, each one once. */
export class Stack {
  readonly #items: { name: string; stop(): Promise<unknown> }[] = [];
  #closing: Promise<void> | undefined;

  push(name: string, stop: () => Promise<unknown>): void {
    this.#items.push({ name, stop });
  }

  /** Safe to call twice. What could not be stopped is told after everything else was. */
  close(): Promise<void> {
    this.#closing ??= this.#stopAll();
    return this.#closing;
  }

  async #stopAll(): Promise<void> {
    const failures: Error[] = [];
    for (let item = this.#items.pop(); item; item = this.#items.pop()) {
      const { name, stop } = item;
      await Promise.resolve()
        .then(stop)
        .catch(
          (cause: unknown) => void failures.push(new Error(`${name} did not stop`, { cause })),
        );
    }
    if (failures.length > 0) throw new AggregateError(failures, failures.map(String).join("; "));
  }
}
