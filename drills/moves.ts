import { type State, transitions } from "../functions/failover/states.ts";

const moves = new Map<string, State>(transitions.map(({ because, to }) => [because, to]));

/** The state that the run has entered, when a line of the journal tells of a move. */
export const enteredBy = ({ text }: { text: string }): State | undefined => moves.get(text);
