/** Kept before anything replaces the global. */
const now = Date.now.bind(Date);

/** Milliseconds since 1970 as the machine counts them: what a process that knows no timeline lives by. */
export const machineNow = (): number => now();
