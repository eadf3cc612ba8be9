const noTunnel = (): never => {
  throw new Error("The simulation's hosts poll");
};

/** What dispatchers take from the Worker for tunnels, which the simulation has none of. */
export const NO_TUNNELS = {
  dequeueResponse: noTunnel,
  applyReport: noTunnel,
  deployment: noTunnel,
  isValid: noTunnel,
};
