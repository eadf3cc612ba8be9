/** The clock that the runtime itself uses, before it is made recordable. Milliseconds since the epoch. */
export const realNow: () => number = Date.now.bind(Date);
