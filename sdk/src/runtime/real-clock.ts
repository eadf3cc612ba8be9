/** The clock before it was made recordable: what the runtime itself goes by. Milliseconds since the epoch. */
export const realNow: () => number = Date.now.bind(Date);
