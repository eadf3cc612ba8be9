const noTunnel = (): never => {
  throw new Error("The simulation's hosts poll");
};

/** What dispatchers need from the Worker for tunnels; the simulation has no tunnels. */
export const NO_TUNNELS = {
  dequeueResponse: noTunnel,
  applyReport: noTunnel,
  deployment: noTunnel,
  isValid: noTunnel,
};
