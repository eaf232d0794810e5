/** Every command, by its id. */
export const COMMANDS = {}
